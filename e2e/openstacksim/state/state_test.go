package state

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestWhatIsDueIsDoneInOrderAndAtItsOwnTime(t *testing.T) {
	clock := testclock.NewFakeClock(start)
	s := New(clock)
	type done struct {
		What string
		At   time.Duration
	}
	var got []done
	note := func(what string) { got = append(got, done{what, s.Now().Sub(start)}) }
	s.Do(func() {
		s.After(20*time.Second, func() { note("late") })
		s.After(10*time.Second, func() {
			note("first")
			// Nobody looks before 30 s have passed, and this is done in time even so.
			s.After(5*time.Second, func() { note("next") })
		})
		s.After(10*time.Second, func() { note("second") })
		s.After(time.Minute, func() { note("never") })
	})
	clock.Step(30 * time.Second)
	s.Do(func() { note("now") })
	want := []done{{"first", 10 * time.Second}, {"second", 10 * time.Second}, {"next", 15 * time.Second}, {"late", 20 * time.Second}, {"now", 30 * time.Second}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
}

// Time is virtual here: it passes when everybody waits.
func TestWhatIsDueIsDoneWhenNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(clock.RealClock{})
		go s.Run(t.Context())
		began, done := time.Now(), make(chan time.Duration)
		s.Do(func() { s.After(time.Second, func() { done <- time.Since(began) }) })
		if got := <-done; got != time.Second {
			t.Errorf("done after %s, want a second", got)
		}
	})
}

type thing struct{ Base }

func TestTablesTellWhatWasNotSetUp(t *testing.T) {
	s := New(testclock.NewFakeClock(start))
	things := NewTable[*thing](s, "thing")
	s.Do(func() {
		things.Insert(&thing{Base{Name: "given", Project: "a"}})
		s.SetUp()
		for _, name := range []string{"1", "2", "3"} {
			things.Insert(&thing{Base{ID: name, Name: name, Project: "a"}})
		}
		things.Insert(&thing{Base{Name: "other", Project: "b"}})
		things.Delete("2")
		var names []string
		for _, b := range s.Objects("a")["thing"] {
			names = append(names, b.Name)
		}
		if diff := cmp.Diff([]string{"1", "3"}, names); diff != "" {
			t.Error("(-want +got)", diff)
		}
	})
}

func TestQuotas(t *testing.T) {
	used := 3
	q := NewQuotas(New(testclock.NewFakeClock(start)), "a service", map[string]int{"things": 5}, func(project, resource string) int { return used })
	for name, test := range map[string]struct {
		limit, more int
		over        bool
	}{
		"room is left":      {5, 2, false},
		"no room is left":   {5, 3, true},
		"no limit":          {-1, 1000, false},
		"nothing more":      {3, 0, false},
		"already too much":  {2, 1, true},
		"none at all to be": {0, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			q.Set("a", "things", test.limit)
			if got := q.Over("a", "things", test.more); got != test.over {
				t.Errorf("over the quota: %t, want %t", got, test.over)
			}
			if got := q.Limit("b", "things"); got != 5 {
				t.Errorf("another project has the limit %d, want 5", got)
			}
		})
	}
}
