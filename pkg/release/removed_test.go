package release

import (
	"fmt"
	"testing"
)

func TestRemoved(t *testing.T) {
	apis := []DeprecatedAPI{
		{"storage.k8s.io", "v1beta1", "volumeattributesclasses", "1.37"},
		{"", "v1", "componentstatuses", ""},
		{"batch", "v1beta1", "cronjobs", "1.25"},
		{"coordination.k8s.io", "v1beta1", "leasecandidates", "1.39"},
		{"storage.k8s.io", "v1beta1", "volumeattributesclasses", "1.37"},
		{"example.com", "v1", "things", "soon"},
		{"new.example.com", "v1", "things", "2.0"},
	}
	for by, want := range map[string]string{
		"1.36.4-1": "[batch/v1beta1/cronjobs]",
		"1.37.1-1": "[batch/v1beta1/cronjobs storage.k8s.io/v1beta1/volumeattributesclasses]",
		"1.24.0-1": "[]",
	} {
		to, err := Parse(by)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(Removed(to, apis)); got != want {
			t.Errorf("%s removes %s, want %s", by, got, want)
		}
	}
}

func TestParseKubelet(t *testing.T) {
	for reported, want := range map[string]Version{
		"v1.33.4":           {Major: 1, Minor: 33, Patch: 4},
		"v1.33.4+k3s1":      {Major: 1, Minor: 33, Patch: 4},
		"v1.36.0-rc.1.2+ab": {Major: 1, Minor: 36},
	} {
		if got, err := ParseKubelet(reported); err != nil || got != want {
			t.Errorf("ParseKubelet(%q) = %v, %v; want %v", reported, got, err, want)
		}
	}
	if v, err := ParseKubelet("unknown"); err == nil {
		t.Errorf("ParseKubelet(unknown) = %v, want an error", v)
	}
}
