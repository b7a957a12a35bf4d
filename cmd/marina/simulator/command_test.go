package simulator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What "marina up" writes on the command line, the command reads.
func TestArgsAreRead(t *testing.T) {
	want := Options{
		Listen: "127.0.0.1:1", DataDir: "/data", BinDir: "/bin", Accounts: "/accounts", Kubernetes: []string{"v1.36.4", "v1.37.1"},
		Containers: Containers{Engine: "unix:///run/docker.sock", Images: map[string]string{"v1.36.4": "node:v1.36.4", "v1.37.1": "node:v1.37.1"}},
	}
	var got Options
	flags := newFlags(&got)
	check(t, flags.Parse(want.Args()[1:]))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
}
