package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"
)

// part is what objects are made of: what JSON would leave out, or mix up.
type part struct {
	Base
	Shown    string `json:"-"`
	secret   string
	when     time.Time
	bytes    []byte
	list     []string
	other    *part
	by       map[[2]string]*part
	anything any
	job      chan struct{} `state:"-"`
}

func fail(t *testing.T) func(error) {
	return func(err error) { t.Error(err) }
}

func TestWhatIsKeptComesBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cloud.json")
	want := &part{
		Base: Base{ID: "1", Name: "n", Project: "p"}, Shown: "s", secret: "x", when: start, bytes: []byte{0, 255}, list: []string{"a", ""},
		other: &part{secret: "inside"}, by: map[[2]string]*part{{"k", "l"}: {list: []string{}}},
		anything: map[string]any{"a": []any{true, nil, 1.5, "s"}}, job: make(chan struct{}),
	}
	first := New(testclock.NewFakeClock(start))
	parts, number := NewTable[*part](first, "part"), 7
	first.Keep("number", &number)
	if err := first.Open(file, fail(t)); err != nil {
		t.Fatal(err)
	}
	first.Do(func() {
		parts.Insert(want)
		first.IsSetUp("1")
	})

	second := New(testclock.NewFakeClock(start))
	parts, number = NewTable[*part](second, "part"), 0
	second.Keep("number", &number)
	if err := second.Open(file, fail(t)); err != nil {
		t.Fatal(err)
	}
	got, _ := parts.Get("1")
	want.job = nil
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(part{}, Base{})); diff != "" {
		t.Error("(-want +got)", diff)
	}
	if number != 7 {
		t.Errorf("the number is %d, want 7", number)
	}
	second.Do(func() {
		if again := parts.Insert(&part{Base: Base{Project: "p"}}); again.order != 2 {
			t.Errorf("what is new has the place %d, want 2: the one after that before", again.order)
		}
		if left := second.Objects("p")["part"]; len(left) != 1 {
			t.Errorf("left behind: %v, want only what is new", left)
		}
	})
}

// What has happened by itself is written as well, when somebody looks.
func TestWhatWasDueIsWritten(t *testing.T) {
	clock, file := testclock.NewFakeClock(start), filepath.Join(t.TempDir(), "cloud.json")
	s, number := New(clock), 0
	s.Keep("number", &number)
	if err := s.Open(file, fail(t)); err != nil {
		t.Fatal(err)
	}
	s.Do(func() { s.After(time.Second, func() { number = 5 }) })
	clock.Step(time.Second)
	s.Look(func() {})
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), `"number":5`) {
		t.Errorf("the file holds %s (%v)", data, err)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"half of one":        {`{"order": `, "unexpected end"},
		"of another version": {`{"engines": []}`, `"engines" is unknown`},
		"of another kind":    {`{"order": "many"}`, "order: json"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "cloud.json")
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			err := New(testclock.NewFakeClock(start)).Open(file, fail(t))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want an error with %q and the file's name", err, test.want)
			}
		})
	}
}

func TestWhatCannotBeWrittenIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "folder", "cloud.json")
	var told error
	s := New(testclock.NewFakeClock(start))
	if err := s.Open(file, func(err error) { told = err }); err != nil {
		t.Fatal(err)
	}
	s.Do(func() {})
	if told == nil {
		t.Fatal("nobody was told that the folder is missing")
	}
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Look(func() {}) // nothing has changed since, but what changed before is not written yet
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
