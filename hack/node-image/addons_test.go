// Package nodeimage has no code: these are checks of what build.sh puts into the image of a
// node, which scripts make, and of what the rest of Marina takes to be in there.
package nodeimage

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/controlplane/addon"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// words are those of an array in a shell script.
func words(t *testing.T, script, array string) []string {
	t.Helper()
	m := regexp.MustCompile(`(?s)\n` + array + `=\((.*?)\)`).FindStringSubmatch(read(t, script))
	if m == nil {
		t.Fatalf("%s has no array %s", script, array)
	}
	return strings.Fields(m[1])
}

// A node has to become Ready, and its Services to work, without a registry.
func TestTheImageHasWhatAddonsRun(t *testing.T) {
	files, err := filepath.Glob("../../manifests/releases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no releases: %v", err)
	}
	want := words(t, "root.sh", "node_images")
	slices.Sort(want)
	for _, file := range files {
		got := append(imagesOnNodes(t, file), "pause") // containerd's own
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("%s: images (-in the node image +run on nodes):\n%s", file, diff)
		}
	}
}

// imagesOnNodes are the names of the images of what Marina runs in a cluster of a release
// that has all add-ons.
func imagesOnNodes(t *testing.T, file string) []string {
	t.Helper()
	var release v1alpha1.KubernetesRelease
	if err := yaml.Unmarshal([]byte(read(t, file)), &release); err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA("test", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(release.Name, "-")
	set, err := addon.Compute(addon.Inputs{
		KubernetesVersion:    "v" + version,
		Server:               "https://203.0.113.7:6443",
		CACert:               ca.CertPEM,
		Network:              v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"},
		KubeletConfiguration: release.Spec.KubeletConfiguration,
		Addons:               v1alpha1.AddonsSpec{CoreDNS: v1alpha1.AddonManaged, KubeProxy: v1alpha1.AddonManaged},
		Versions:             release.Spec.Addons,
		Konnectivity:         "203.0.113.7:8132",
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, object := range slices.Concat(set.Reconcile, set.EnsureExists) {
		var pod corev1.PodSpec
		switch o := object.(type) {
		case *appsv1.Deployment:
			pod = o.Spec.Template.Spec
		case *appsv1.DaemonSet:
			pod = o.Spec.Template.Spec
		}
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			name, _, _ := strings.Cut(container.Image[strings.LastIndex(container.Image, "/")+1:], ":")
			names = append(names, name)
		}
	}
	return names
}
