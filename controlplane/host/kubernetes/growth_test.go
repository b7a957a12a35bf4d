package kubernetes

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestGrowth(t *testing.T) {
	key := func(name string) types.NamespacedName { return types.NamespacedName{Name: name} }
	nodes := 0
	var woken []string
	g := newGrowth(func() int { return nodes }, func(key types.NamespacedName) { woken = append(woken, key.Name) })
	ask := func(name string, want bool) {
		t.Helper()
		if got := g.ask(key(name)); got != want || g.waits(key(name)) == want {
			t.Errorf("%s may grow: %v, waits: %v", name, got, g.waits(key(name)))
		}
	}
	wantWoken := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, woken); diff != "" {
			t.Errorf("%s, woken (-want +got):\n%s", when, diff)
		}
		woken = nil
	}
	type timer struct {
		*time.Timer
		fire func()
	}
	var timers []timer
	g.after = func(d time.Duration, fire func()) *time.Timer {
		if d != 2*time.Minute {
			t.Errorf("a timer is set to %s, want two minutes", d)
		}
		timers = append(timers, timer{time.NewTimer(time.Hour), fire})
		return timers[len(timers)-1].Timer
	}
	// twoMinutes are over for all timers.
	twoMinutes := func() {
		due := timers
		timers = nil
		for _, timer := range due {
			if timer.Stop() { // nobody else has
				timer.fire()
			}
		}
	}

	// One at a time grows while first replicas start, and they do not wait.
	for _, name := range []string{"a", "b", "c", "d"} {
		g.begin(key(name))
	}
	ask("a", true)
	ask("b", false)
	ask("b", false)
	ask("c", false)
	g.begin(key("a"))
	wantWoken("while others begin", "a")
	ask("d", false)
	wantWoken("when the last has begun", "b")
	ask("b", true)
	g.done(key("unknown"))
	wantWoken("by somebody unknown")
	g.done(key("a"))
	wantWoken("when one has grown", "c")

	// One waits no more that is gone, that somebody has scaled, or that begins anew.
	for _, name := range []string{"e", "f", "g", "h"} {
		ask(name, false)
	}
	g.done(key("e"))
	g.grows(key("f"))
	g.begin(key("g"))
	if g.waits(key("e")) || g.waits(key("f")) || g.waits(key("g")) {
		t.Errorf("these wait: %v", g.waiting)
	}
	g.done(key("g"))
	g.done(key("b"))
	wantWoken("when another has grown", "d")

	// A node more.
	nodes = 2
	ask("h", true)
	nodes = 0
	for _, name := range []string{"c", "d", "h"} {
		g.done(key(name))
	}
	woken = nil

	// Nobody holds a place for longer than holdBack, and a first replica that does not
	// become ready only once.
	g.begin(key("never"))
	ask("i", true)
	ask("j", false)
	ask("k", false)
	wantWoken("before two minutes are over", "i")
	twoMinutes()
	wantWoken("after two minutes", "j", "k")
	g.begin(key("never"))
	ask("i", true)
	ask("l", false)
	for _, name := range []string{"never", "i", "j", "k", "l"} {
		g.done(key(name))
	}
	if len(g.coming)+len(g.waiting) > 0 {
		t.Errorf("left: %v and %v", g.coming, g.waiting)
	}
	for _, timer := range timers {
		if timer.Stop() {
			t.Error("a timer runs that nobody needs")
		}
	}
}

// TestNobodyWaitsForEver: however many begin, one at a time goes on.
func TestNobodyWaitsForEver(t *testing.T) {
	grown := map[string]bool{}
	g := newGrowth(func() int { return 1 }, func(key types.NamespacedName) { grown[key.Name] = true })
	for i := range 100 {
		key := types.NamespacedName{Name: strconv.Itoa(i)}
		g.begin(types.NamespacedName{Name: "first of " + strconv.Itoa(i)})
		g.ask(key)
		if i >= 10 {
			before := types.NamespacedName{Name: strconv.Itoa(i - 10)}
			if !grown[before.Name] {
				t.Fatalf("%s still waits when %s asks", before.Name, key.Name)
			}
			g.done(before)
		}
	}
}
