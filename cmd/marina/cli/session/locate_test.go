package session

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	home := t.TempDir()
	write := func(parts ...string) string {
		t.Helper()
		path := filepath.Join(parts...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	withUp, withoutUp := filepath.Join(home, "with"), filepath.Join(home, "without")
	ofUp := write(withUp, ".local", "share", "marina", "kubeconfig")
	ofDataDir := write(home, "data", "kubeconfig")
	ofXDG := write(home, "xdg", "marina", "kubeconfig")

	cases := map[string]struct {
		flag string
		env  map[string]string
		home string
		want Location
	}{
		"TheFlagGoesFirst": {
			flag: "/f",
			env:  map[string]string{"MARINA_KUBECONFIG": "/m", "KUBECONFIG": "/k"},
			home: withUp,
			want: Location{Paths: []string{"/f"}, From: "--kubeconfig", Asked: true},
		},
		"ThenMarinasVariable": {
			env:  map[string]string{"MARINA_KUBECONFIG": "/m", "KUBECONFIG": "/k"},
			home: withUp,
			want: Location{Paths: []string{"/m"}, From: "$MARINA_KUBECONFIG", Asked: true},
		},
		"ThenWhatMarinaUpWrote": {
			env:  map[string]string{"KUBECONFIG": "/k"},
			home: withUp,
			want: Location{Paths: []string{ofUp}, From: "marina up"},
		},
		"InADataFolderOfItsOwn": {
			env:  map[string]string{"MARINA_DATA_DIR": filepath.Join(home, "data"), "XDG_DATA_HOME": filepath.Join(home, "xdg")},
			home: withUp,
			want: Location{Paths: []string{ofDataDir}, From: "marina up"},
		},
		"InTheDataFolderOfXDG": {
			env:  map[string]string{"XDG_DATA_HOME": filepath.Join(home, "xdg")},
			home: withUp,
			want: Location{Paths: []string{ofXDG}, From: "marina up"},
		},
		"ARelativeXDGFolderIsIgnored": {
			env:  map[string]string{"XDG_DATA_HOME": "xdg"},
			home: withUp,
			want: Location{Paths: []string{ofUp}, From: "marina up"},
		},
		"ThenKubectlsVariable": {
			env:  map[string]string{"KUBECONFIG": "/k::/l"},
			home: withoutUp,
			want: Location{Paths: []string{"/k", "/l"}, From: "$KUBECONFIG"},
		},
		"ThenKubectlsFile": {
			home: withoutUp,
			want: Location{Paths: []string{filepath.Join(withoutUp, ".kube", "config")}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Locate(tc.flag, func(name string) string { return tc.env[name] }, tc.home)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
