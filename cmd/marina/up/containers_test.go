package up

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/cmd/marina/simulator"
)

// engine is a program in place of the client of an engine that has two images of nodes,
// and one of something else.
func engine(t *testing.T, program string) {
	t.Helper()
	bin := t.TempDir()
	write(t, filepath.Join(bin, "docker"), "#!/bin/sh\n"+program, 0o755)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

const images = `
[ "$1" != context ] || { echo unix:///engine; exit; }
shift 2
case "$1 $2" in
"version "*) ;;
"image inspect") case $3 in node* | other) ;; *) echo "no such image: $3" >&2; exit 1 ;; esac ;;
"run --rm") case $7 in node:v*) echo "${7#node:}" ;; node-again) echo v1.37.1 ;; *) echo "cat: no such file" >&2; exit 1 ;; esac ;;
*) exit 7 ;;
esac
`

func TestNodeContainers(t *testing.T) {
	for name, test := range map[string]struct {
		program string
		images  []string
		want    simulator.Containers
		refused string
	}{
		"hollow nodes":               {program: "exit 7"},
		"an image":                   {images, []string{"node:v1.37.1"}, simulator.Containers{Engine: "unix:///engine", Images: map[string]string{"v1.37.1": "node:v1.37.1"}}, ""},
		"the engine is down":         {"echo unix:///engine; [ $1 = context ]", []string{"node:v1.37.1"}, simulator.Containers{}, "takes a Docker engine"},
		"an image that is not there": {images, []string{"none"}, simulator.Containers{}, "no such image: none"},
		"an image of something":      {images, []string{"other"}, simulator.Containers{}, "no node image"},
		"two of a version":           {images, []string{"node:v1.37.1", "node-again"}, simulator.Containers{}, "both of Kubernetes v1.37.1"},
	} {
		t.Run(name, func(t *testing.T) {
			engine(t, test.program)
			got, err := nodeContainers(t.Context(), Options{DataDir: t.TempDir(), Cloud: CloudSimulator, NodeImages: test.images})
			if test.refused == "" && err != nil || test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)) {
				t.Errorf("the error is %v, want %q", err, test.refused)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("(-want +got)", diff)
			}
		})
	}
}

func TestServersStayWhatTheyAre(t *testing.T) {
	for folder, images := range map[string][]string{"containers": nil, "servers": {"node:v1.37.1"}} {
		engine(t, "exit 7")
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "cloud", folder, "6f1c2d6e"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := nodeContainers(t.Context(), Options{DataDir: dir, Cloud: CloudSimulator, NodeImages: images})
		if err == nil || !strings.Contains(err.Error(), "servers of the other kind: 1") {
			t.Errorf("with %s and the images %v: %v", folder, images, err)
		}
		if _, err := nodeContainers(t.Context(), Options{DataDir: dir, Cloud: CloudNone}); err != nil {
			t.Errorf("without a cloud: %v", err)
		}
	}
}
