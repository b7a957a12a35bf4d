package addon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// testCA is a certificate of nobody's, so that golden files stay the same.
const testCA = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUS0f8z7ROc99iZ36CHt0sEW6umdYwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAeFw0yNjExMjEwODE2MzdaFw0zNjExMTgw
ODE2MzdaMBUxEzARBgNVBAMMCmt1YmVybmV0ZXMwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQcR6sX/gQibxWJqLRobmVgVbv8Q5vXmgiVAL9hzClgeNjGwm7sJ/KG
GO7hZBwM7IqZmF7+NBIcff5d/atXuKGqo1MwUTAdBgNVHQ4EFgQUjbE5Oa9WWm55
xdRwSihRU2j3tNkwHwYDVR0jBBgwFoAUjbE5Oa9WWm55xdRwSihRU2j3tNkwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAmVcEtDwW8W33Iye+n2C7
NCXYLX5iwewTGGlnNKo7/O4CIFTmbZnfg5x+n98tKVU2CMWgSTi+Dqc3uHCKmKGl
THHI
-----END CERTIFICATE-----
`

// network is a tenant's with its defaults.
func network() v1alpha1.NetworkSpec {
	return v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"}
}

// shippedInputs are those of a cluster of the newest release of a minor that Marina
// comes with.
func shippedInputs(t testing.TB, minor string) Inputs {
	t.Helper()
	files, err := filepath.Glob("../../manifests/releases/" + minor + ".*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no release of %s in manifests/releases (%v)", minor, err)
	}
	slices.SortFunc(files, func(a, b string) int { return parseFile(t, a).Compare(parseFile(t, b)) })
	newest := files[len(files)-1]
	data, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	var r v1alpha1.KubernetesRelease
	if err := yaml.Unmarshal(data, &r); err != nil {
		t.Fatalf("%s: %v", newest, err)
	}
	return Inputs{
		KubernetesVersion:    parseFile(t, newest).Kubernetes(),
		Server:               "https://203.0.113.7:6443",
		CACert:               []byte(testCA),
		Network:              network(),
		KubeletConfiguration: r.Spec.KubeletConfiguration,
		Addons:               v1alpha1.AddonsSpec{CoreDNS: v1alpha1.AddonManaged, KubeProxy: v1alpha1.AddonManaged},
		Versions:             r.Spec.Addons,
		Konnectivity:         "203.0.113.7:8132",
	}
}

// everything is what is applied, of both kinds.
func everything(t testing.TB, in Inputs) []client.Object {
	t.Helper()
	set, err := Compute(in)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(set.Reconcile, set.EnsureExists)
}

func parseFile(t testing.TB, file string) release.Version {
	t.Helper()
	v, err := release.Parse(strings.TrimSuffix(filepath.Base(file), ".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
