package up

import (
	"path/filepath"
	"testing"
)

func TestFindPrograms(t *testing.T) {
	both := []string{"kube-apiserver", "kube-controller-manager"}
	cases := map[string]struct {
		// files are executable ones, by folder.
		files map[string][]string
		// plain are files that cannot be executed.
		plain  []string
		want   string
		errors []string
	}{
		"TheNewestCounts": {
			files: map[string][]string{"kubernetes/v1.9.4": both, "kubernetes/v1.36.4": both, "kubernetes/v1.36.10": both, "etcd/v3.7.3": {"etcd"}},
			want:  "v1.36.10",
		},
		"OneThatIsIncompleteDoesNot": {
			files: map[string][]string{"kubernetes/v1.36.4": both, "kubernetes/v1.37.1": {"kube-apiserver"}, "etcd/v3.7.3": {"etcd"}},
			want:  "v1.36.4",
		},
		"NorWhatIsNoProgram": {
			files: map[string][]string{"kubernetes/v1.36.4": both, "kubernetes/v1.37.1": {"kube-apiserver"}, "etcd/v3.7.3": {"etcd"}},
			plain: []string{"kubernetes/v1.37.1/kube-controller-manager", "kubernetes/README"},
			want:  "v1.36.4",
		},
		"NorWhatIsNoVersion": {
			files:  map[string][]string{"kubernetes/latest": both, "etcd/v3.7.3": {"etcd"}},
			errors: []string{"make kubernetes-1.37"},
		},
		"NoEtcd": {
			files:  map[string][]string{"kubernetes/v1.37.1": both},
			want:   "v1.37.1",
			errors: []string{"no etcd in", "make etcd"},
		},
		"Nothing": {errors: []string{"make kubernetes-1.37", "make etcd", "--bin-dir"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for folder, files := range tc.files {
				for _, file := range files {
					write(t, filepath.Join(dir, folder, file), "", 0o755)
				}
			}
			for _, file := range tc.plain {
				write(t, filepath.Join(dir, file), "", 0o644)
			}
			got, err := findPrograms(dir)
			if got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
			if tc.errors != nil {
				assertError(t, err, tc.errors...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
