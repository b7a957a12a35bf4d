package release

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustParse keeps the tables readable.
func mustParse(t testing.TB, s string) Version {
	t.Helper()
	v, err := Parse(s)
	if err != nil {
		t.Fatalf("Parse(%q): %v", s, err)
	}
	return v
}

func TestParse(t *testing.T) {
	cases := map[string]struct {
		in   string
		want Version
	}{
		"AnOrdinaryRelease": {in: "1.37.1-1", want: Version{Major: 1, Minor: 37, Patch: 1, Build: 1}},
		"PatchZero":         {in: "1.36.0-2", want: Version{Major: 1, Minor: 36, Patch: 0, Build: 2}},
		"ABuildOfTwoDigits": {in: "1.32.3-10", want: Version{Major: 1, Minor: 32, Patch: 3, Build: 10}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := mustParse(t, tc.in)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", tc.in, diff)
			}
			if got.String() != tc.in {
				t.Errorf("String() = %q: a release has one spelling only, want %q", got.String(), tc.in)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]string{
		"Nothing":              "",
		"ALeadingV":            "v1.37.1-1",
		"NoBuild":              "1.37.1",
		"AnEmptyBuild":         "1.37.1-",
		"BuildZero":            "1.37.1-0",
		"ABuildThatIsNoNumber": "1.37.1-rc.1",
		"ALeadingZeroInMinor":  "1.037.1-1",
		"ALeadingZeroInBuild":  "1.37.1-01",
		"TwoNumbersOnly":       "1.37-1",
		"FourNumbers":          "1.37.1.1-1",
		"TwoBuilds":            "1.37.1-1-2",
		"ASpace":               "1.37.1-1 ",
		"ANewline":             "1.37.1-1\n",
		"ASign":                "1.+37.1-1",
		"ANegativeNumber":      "-1.37.1-1",
		"OtherDigits":          "1.37.1-١",
		"BuildMetadata":        "1.37.1+build-1",
		"ANumberBeyondTheEnd":  "1.37.1-100000",
		"AnOverflow":           "1.37.1-99999999999999999999999",
	}
	for name, in := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(in)
			var parseErr *ParseError
			if !errors.As(err, &parseErr) {
				t.Fatalf("Parse(%q) = %v, %v: want a *ParseError", in, got, err)
			}
			if parseErr.Value != in {
				t.Errorf("the error names %q, want the value that was given, %q", parseErr.Value, in)
			}
			if !got.IsZero() {
				t.Errorf("Parse(%q) returned %v beside its error, want the zero Version", in, got)
			}
		})
	}
}

func TestRule14Spellings(t *testing.T) {
	v := mustParse(t, "1.32.3-5")
	if got, want := v.Kubernetes(), "v1.32.3"; got != want {
		t.Errorf("Kubernetes() = %q, want %q: binaries and images never carry our build number", got, want)
	}
	if got, want := v.MinorVersion(), "1.32"; got != want {
		t.Errorf("MinorVersion() = %q, want %q", got, want)
	}
}

func TestRule14Compare(t *testing.T) {
	cases := map[string]struct{ older, newer string }{
		"Build":                          {older: "1.32.3-4", newer: "1.32.3-5"},
		"BuildIsANumberNotText":          {older: "1.32.3-9", newer: "1.32.3-10"},
		"PatchBeatsBuild":                {older: "1.32.3-99", newer: "1.32.4-1"},
		"MinorBeatsPatch":                {older: "1.32.99-1", newer: "1.33.0-1"},
		"MinorIsANumberNotText":          {older: "1.9.0-1", newer: "1.10.0-1"},
		"MajorBeatsMinor":                {older: "1.99.0-1", newer: "2.0.0-1"},
		"PatchIsANumberNotTextWithBuild": {older: "1.36.9-3", newer: "1.36.10-1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			older, newer := mustParse(t, tc.older), mustParse(t, tc.newer)
			if older.Compare(newer) >= 0 || newer.Compare(older) <= 0 {
				t.Errorf("want %s older than %s, both ways round", older, newer)
			}
			if newer.Compare(newer) != 0 {
				t.Errorf("%s differs from itself", newer)
			}
		})
	}
}

// TestCompareIsATotalOrder draws versions from a small range, so that equal numbers and equal versions
// are common: that is where an order goes wrong. The seed is fixed, so a failure repeats.
func TestCompareIsATotalOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 37))
	draw := func() Version {
		return Version{Major: 1 + random.IntN(2), Minor: random.IntN(3), Patch: random.IntN(12), Build: 1 + random.IntN(12)}
	}
	for range 20_000 {
		a, b, c := draw(), draw(), draw()
		if got := mustParse(t, a.String()); got != a {
			t.Fatalf("%v printed and parsed is %v", a, got)
		}
		if a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%s and %s compare differently when swapped", a, b)
		}
		if (a.Compare(b) == 0) != (a.String() == b.String()) {
			t.Fatalf("%s and %s: equal in order must mean equal in print", a, b)
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("%s <= %s <= %s, but not the first to the last", a, b, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"1.37.1-1", "1.32.3-10", "v1.37.1-1", "1.037.1-1", "", "1.1.1-99999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			return
		}
		if v.String() != s {
			t.Errorf("Parse(%q) prints as %q: a release has one spelling only", s, v.String())
		}
		if v.Build < 1 {
			t.Errorf("Parse(%q) accepted build %d", s, v.Build)
		}
	})
}
