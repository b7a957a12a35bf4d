package release

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseAll(t testing.TB, names ...string) []Version {
	t.Helper()
	versions := make([]Version, 0, len(names))
	for _, name := range names {
		versions = append(versions, mustParse(t, name))
	}
	return versions
}

func TestRule13CanUpgrade(t *testing.T) {
	cases := map[string]struct {
		from, to string
		want     UpgradeProblem
		saying   string
	}{
		"NextBuild":            {from: "1.32.3-4", to: "1.32.3-5"},
		"BuildNineToTen":       {from: "1.32.3-9", to: "1.32.3-10"},
		"NextPatch":            {from: "1.36.3-2", to: "1.36.4-1"},
		"PatchesMayBeSkipped":  {from: "1.36.0-1", to: "1.36.9-1"},
		"NextMinor":            {from: "1.36.4-1", to: "1.37.1-1"},
		"NextMinorLowerPatch":  {from: "1.36.9-7", to: "1.37.0-1"},
		"TheSame":              {from: "1.36.4-1", to: "1.36.4-1", want: NothingToDo, saying: "nothing to do"},
		"BuildDown":            {from: "1.36.4-10", to: "1.36.4-9", want: Downgrade, saying: "choose a newer version"},
		"PatchDown":            {from: "1.36.4-1", to: "1.36.3-9", want: Downgrade, saying: "choose a newer version"},
		"MinorDown":            {from: "1.37.0-1", to: "1.36.9-1", want: Downgrade, saying: "choose a newer version"},
		"TwoMinors":            {from: "1.35.2-1", to: "1.37.1-1", want: SkipsMinor, saying: "upgrade to 1.36 first"},
		"AnotherMajor":         {from: "1.37.1-1", to: "2.0.0-1", want: OtherMajor, saying: "choose a 1.x version"},
		"AnotherMajorDownward": {from: "2.0.0-1", to: "1.37.1-1", want: Downgrade, saying: "choose a newer version"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := CanUpgrade(mustParse(t, tc.from), mustParse(t, tc.to))
			if tc.want == "" {
				if err != nil {
					t.Fatalf("CanUpgrade(%s, %s) = %v, want it permitted", tc.from, tc.to, err)
				}
				return
			}
			var upgradeErr *UpgradeError
			if !errors.As(err, &upgradeErr) {
				t.Fatalf("CanUpgrade(%s, %s) = %v, want an *UpgradeError", tc.from, tc.to, err)
			}
			if upgradeErr.Problem != tc.want {
				t.Errorf("refused as %s, want %s", upgradeErr.Problem, tc.want)
			}
			if !strings.HasSuffix(err.Error(), tc.saying) {
				t.Errorf("%q must end with what to do: %q", err, tc.saying)
			}
		})
	}
}

func TestCanUpgradeNamesWhatIsOffered(t *testing.T) {
	offered := parseAll(t, "1.37.1-1", "1.36.4-10", "1.36.4-9", "1.35.2-2", "1.35.2-1", "1.34.0-1")
	cases := map[string]struct {
		from, to string
		want     []string
		saying   string
	}{
		"ASkipNamesTheNextMinorOnly": {
			from: "1.35.2-1", to: "1.37.1-1",
			want:   []string{"1.36.4-9", "1.36.4-10"},
			saying: "upgrade to 1.36 first; offered: 1.36.4-9, 1.36.4-10",
		},
		"ADowngradeNamesAllThatIsPossible": {
			from: "1.35.2-1", to: "1.34.0-1",
			want:   []string{"1.35.2-2", "1.36.4-9", "1.36.4-10"},
			saying: "choose a newer version; offered: 1.35.2-2, 1.36.4-9, 1.36.4-10",
		},
		"NothingFits": {
			from: "1.37.1-1", to: "1.36.4-9",
			saying: "choose a newer version",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := CanUpgrade(mustParse(t, tc.from), mustParse(t, tc.to), offered...)
			var upgradeErr *UpgradeError
			if !errors.As(err, &upgradeErr) {
				t.Fatalf("got %v, want an *UpgradeError", err)
			}
			var got []string
			for _, v := range upgradeErr.Offered {
				got = append(got, v.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("offered (-want +got):\n%s", diff)
			}
			if !strings.HasSuffix(err.Error(), tc.saying) {
				t.Errorf("%q must end with %q", err, tc.saying)
			}
		})
	}
}

func TestRule12KubeletSkewOK(t *testing.T) {
	cases := map[string]struct {
		controlPlane, kubelet string
		bad, tooNew           bool
		saying                string
	}{
		"TheSame":           {controlPlane: "1.37.1-1", kubelet: "1.37.1-1"},
		"OneMinorOlder":     {controlPlane: "1.37.1-1", kubelet: "1.36.9-9"},
		"ThreeMinorsOlder":  {controlPlane: "1.37.1-1", kubelet: "1.34.0-1"},
		"FourMinorsOlder":   {controlPlane: "1.37.1-1", kubelet: "1.33.9-1", bad: true, saying: "upgrade the nodes to at least 1.34 first"},
		"OneMinorNewer":     {controlPlane: "1.36.4-1", kubelet: "1.37.0-1", bad: true, tooNew: true, saying: "choose at most 1.36.4-1 for the nodes"},
		"OnePatchNewer":     {controlPlane: "1.36.4-1", kubelet: "1.36.5-1", bad: true, tooNew: true, saying: "choose at most 1.36.4-1 for the nodes"},
		"OneBuildNewer":     {controlPlane: "1.36.4-9", kubelet: "1.36.4-10", bad: true, tooNew: true, saying: "choose at most 1.36.4-9 for the nodes"},
		"AnotherMajorOlder": {controlPlane: "2.0.0-1", kubelet: "1.37.1-1", bad: true, saying: "choose a 2.x version for the nodes"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := KubeletSkewOK(mustParse(t, tc.controlPlane), mustParse(t, tc.kubelet))
			if !tc.bad {
				if err != nil {
					t.Fatalf("got %v, want them to fit", err)
				}
				return
			}
			var skewErr *SkewError
			if !errors.As(err, &skewErr) {
				t.Fatalf("got %v, want a *SkewError", err)
			}
			if skewErr.TooNew != tc.tooNew {
				t.Errorf("TooNew = %v, want %v", skewErr.TooNew, tc.tooNew)
			}
			if !strings.HasSuffix(err.Error(), tc.saying) {
				t.Errorf("%q must end with what to do: %q", err, tc.saying)
			}
		})
	}
}

func TestLists(t *testing.T) {
	versions := parseAll(t, "1.36.4-10", "1.37.0-1", "1.36.4-9", "1.35.10-1", "1.35.9-1")
	shuffled := slices.Clone(versions)

	latest, ok := Latest(shuffled)
	if !ok || latest.String() != "1.37.0-1" {
		t.Errorf("Latest = %s, %v; want 1.37.0-1, true", latest, ok)
	}
	if diff := cmp.Diff(versions, shuffled); diff != "" {
		t.Errorf("Latest changed the order of its argument (-want +got):\n%s", diff)
	}
	if _, ok := Latest(nil); ok {
		t.Error("Latest of nothing must say that there is none")
	}

	Sort(shuffled)
	want := parseAll(t, "1.35.9-1", "1.35.10-1", "1.36.4-9", "1.36.4-10", "1.37.0-1")
	if diff := cmp.Diff(want, shuffled); diff != "" {
		t.Errorf("Sort, oldest first (-want +got):\n%s", diff)
	}

	got := Upgrades(mustParse(t, "1.35.9-1"), append(shuffled, shuffled...))
	want = parseAll(t, "1.35.10-1", "1.36.4-9", "1.36.4-10")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Upgrades from 1.35.9-1, each once (-want +got):\n%s", diff)
	}
}
