package buildinfo

import (
	"io/fs"
	"runtime/debug"
	"testing"

	"github.com/marina-dev/marina/manifests"
	"github.com/marina-dev/marina/pkg/release"
)

func TestVersion(t *testing.T) {
	build := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"},
		}}
	}
	cases := map[string]struct {
		linked string
		build  *debug.BuildInfo
		want   string
	}{
		"TheLinkersGoesFirst":     {linked: "v1.2.3", build: build("v9.9.9"), want: "v1.2.3"},
		"OfGoInstall":             {build: build("v1.2.3"), want: "v1.2.3"},
		"OfACheckoutThereIsNone":  {build: build("(devel)"), want: "devel"},
		"WithoutBuildInformation": {want: "devel"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := from(tc.linked, tc.build)
			if got.Version != tc.want {
				t.Errorf("version %q, want %q", got.Version, tc.want)
			}
			if tc.build != nil && (got.Commit != "0123456789abcdef" || !got.Modified) {
				t.Errorf("the commit is missing: %+v", got)
			}
		})
	}
}

func TestReleases(t *testing.T) {
	files, err := fs.Glob(manifests.FS, "releases/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	names, err := Releases()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 || len(names) != len(files) {
		t.Fatalf("%d releases from %d files", len(names), len(files))
	}
	for i := range names[1:] {
		newer, _ := release.Parse(names[i])
		older, _ := release.Parse(names[i+1])
		if newer.Compare(older) <= 0 {
			t.Errorf("%s stands before %s: the newest goes first", names[i], names[i+1])
		}
	}
}
