package component

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a Component with its file in testdata, which shows a reviewer
// what every replica becomes.
func golden(t *testing.T, c Component) {
	t.Helper()
	goldenFile(t, c, c.Name)
}

// goldenFile compares a Component with a file of another name than its own.
func goldenFile(t *testing.T, c Component, name string) {
	t.Helper()
	got, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; if that is meant: go test ./controlplane/component -update\n%s", path, diff)
	}
}

func hostedInputs() HostedInputs {
	return HostedInputs{
		Namespace:     "marina-shop-0d8ec3f1",
		Kubernetes:    "v1.37.1",
		TenantUID:     "0d8ec3f1-7a52-4d9b-9f0c-3b8f2f9a0001",
		EtcdEndpoints: []string{"https://127.0.0.1:21000", "https://127.0.0.1:21003", "https://127.0.0.1:21006"},
		Network: v1alpha1.NetworkSpec{
			PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local",
		},
		ServiceAccountHash: "aaaa", EtcdCAHash: "bbbb", CAHash: "cccc",
		Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard},
	}
}

func TestHostedGolden(t *testing.T) {
	in := hostedInputs()
	for _, c := range []Component{APIServer(in), ControllerManager(in), Scheduler(in)} {
		t.Run(c.Name, func(t *testing.T) { golden(t, c) })
	}
}

// While an upgrade can go back, all of them behave as the minor version before. Nothing else
// differs from what they run afterwards.
func TestEmulatedGolden(t *testing.T) {
	in := hostedInputs()
	in.Emulates = "1.36"
	for _, c := range []Component{APIServer(in), ControllerManager(in), Scheduler(in)} {
		t.Run(c.Name, func(t *testing.T) { goldenFile(t, c, c.Name+"-emulating") })
	}
}

// Releases differ in the programs that are run, and in nothing else: what the golden files
// show is true of each. A release that needs another flag needs golden files of its own.
func TestAReleaseChangesTheProgramsAlone(t *testing.T) {
	newest, other := hostedInputs(), hostedInputs()
	other.Kubernetes = "v1.36.4"
	for _, of := range []func(HostedInputs) Component{APIServer, ControllerManager, Scheduler} {
		want, got := of(newest), of(other)
		if got.Main.Version != other.Kubernetes {
			t.Errorf("%s runs %s, want %s", got.Name, got.Main.Version, other.Kubernetes)
		}
		want.Main.Version = got.Main.Version
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", got.Name, diff)
		}
	}
}

// The key of the tenant's CA makes certificates for anybody: only who signs may
// have it.
func TestOnlyTheControllerManagerMountsTheCAKey(t *testing.T) {
	in := hostedInputs()
	mounts := func(c Component) (found bool) {
		for _, m := range c.Mounts {
			if m.Secret != v1alpha1.SecretCA && m.Secret != v1alpha1.SecretFrontProxyCA {
				continue
			}
			found = found || len(m.Keys) == 0
			for _, k := range m.Keys {
				found = found || k == "tls.key"
			}
		}
		return found
	}
	if mounts(APIServer(in)) || mounts(Scheduler(in)) {
		t.Error("an API server or a scheduler mounts a CA's key")
	}
	if !mounts(ControllerManager(in)) {
		t.Error("the controller-manager does not mount the CA's key and could not sign")
	}
}

// A change of what a process reloads by itself must not restart it; a change of
// what it reads only at its start must.
func TestWhatRestarts(t *testing.T) {
	reloads := map[string]bool{
		v1alpha1.SecretAPIServerServing: true, v1alpha1.SecretAPIServerKubeletClient: true,
		v1alpha1.SecretFrontProxyClient: true, v1alpha1.SecretEncryption: true,
		v1alpha1.SecretServiceAccount: false, v1alpha1.SecretEtcdClient: false,
	}
	for _, m := range APIServer(hostedInputs()).Mounts {
		if want, known := reloads[m.Secret]; known && (m.Hash == "") != want {
			t.Errorf("%s: reloaded without a restart = %v, want %v", m.Secret, m.Hash == "", want)
		}
	}
}

// Who sends requests to an API server must have heard that it stops before it does.
func TestAStoppingAPIServerServesUntilNobodySendsToIt(t *testing.T) {
	for exposure, want := range map[v1alpha1.ExposureType]string{
		"":                            "--shutdown-delay-duration=3s",
		v1alpha1.ExposureHost:         "--shutdown-delay-duration=3s",
		v1alpha1.ExposureClusterIP:    "--shutdown-delay-duration=10s",
		v1alpha1.ExposureNodePort:     "--shutdown-delay-duration=10s",
		v1alpha1.ExposureLoadBalancer: "--shutdown-delay-duration=10s",
	} {
		in := hostedInputs()
		in.Hosting.Exposure.Type = exposure
		if args := APIServer(in).Main.Args; !slices.Contains(args, want) {
			t.Errorf("exposure by %q: %v, want %s", exposure, args, want)
		}
	}
}
