package component

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// etcdInputs are those of a cluster on one machine.
func etcdInputs() EtcdInputs {
	member := func(n int) map[string]HostPort {
		return map[string]HostPort{
			"client":  {Host: "127.0.0.1", Port: 20000 + n},
			"peer":    {Host: "127.0.0.1", Port: 20010 + n},
			"metrics": {Host: "127.0.0.1", Port: 20020 + n},
		}
	}
	return EtcdInputs{
		Cluster:   "default",
		UID:       "4e7c9f6e-0f5c-4c2a-9f57-8d0f6f0f1a11",
		Version:   "3.7.3",
		Spec:      v1alpha1.EtcdClusterSpec{StorageQuota: resource.MustParse("8Gi")},
		Addresses: Addresses{Replicas: []map[string]HostPort{member(0), member(1), member(2)}},
		CAHash:    "1111", PeerCAHash: "2222",
		Labels: map[string]string{"marina.dev/shard": "default"},
	}
}

func TestEtcdGolden(t *testing.T) { golden(t, Etcd(etcdInputs())) }

// TestEtcdIsPure: a second pass over an unchanged spec must not restart a member.
func TestEtcdIsPure(t *testing.T) {
	if diff := cmp.Diff(Etcd(etcdInputs()), Etcd(etcdInputs())); diff != "" {
		t.Errorf("the same inputs gave something else:\n%s", diff)
	}
}

func TestEtcdMountsNoCAKey(t *testing.T) {
	for _, m := range Etcd(etcdInputs()).Mounts {
		for _, secret := range []string{"etcd-default-ca", "etcd-default-peer-ca", "etcd-default-root"} {
			if m.Secret == secret {
				t.Errorf("mount %q: a member must never see %s", m.Path, secret)
			}
		}
		if len(m.Keys) == 0 {
			t.Errorf("mount %q takes every key of %s: name those that etcd needs", m.Path, m.Secret)
		}
	}
}

// TestEtcdHashesWhatIsReadAtStart: a renewed pair is read by itself, and restarting
// for it would be a rollout nobody asked for; a CA is not.
func TestEtcdHashesWhatIsReadAtStart(t *testing.T) {
	got := map[string]string{}
	for _, m := range Etcd(etcdInputs()).Mounts {
		got[m.Path] = m.Hash
	}
	want := map[string]string{"server": "", "peer": "", "client-ca": "1111", "peer-ca": "2222"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hashes by mount (-want +got):\n%s", diff)
	}
}

func TestEtcdEndpoints(t *testing.T) {
	in := etcdInputs()
	in.Addresses.Replicas[1]["client"] = HostPort{Host: "etcd-default-1.etcd", Port: 2379}
	in.Addresses.Replicas[2]["client"] = HostPort{Host: "fd00::2", Port: 2379}
	want := []string{"https://127.0.0.1:20000", "https://etcd-default-1.etcd:2379", "https://[fd00::2]:2379"}
	if got := EtcdEndpoints(in.Addresses); !slices.Equal(got, want) {
		t.Errorf("EtcdEndpoints = %q, want %q", got, want)
	}
}

// TestEtcdHasNoFlagThatRisksTenants names what must never be switched on, whatever
// becomes of the rest.
func TestEtcdHasNoFlagThatRisksTenants(t *testing.T) {
	args := Etcd(etcdInputs()).Main.Args
	for _, want := range []string{"--client-cert-auth=true", "--peer-client-cert-auth=true", "--enable-grpc-gateway=false"} {
		if !slices.Contains(args, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, arg := range args {
		for _, bad := range []string{"--auto-tls", "--peer-auto-tls", "--unsafe", "--force-new-cluster", "--experimental", "--enable-pprof", "=http://"} {
			// Metrics and health are of the store, and say nothing of what is in it.
			if strings.HasPrefix(arg, bad) || (bad[0] == '=' && strings.Contains(arg, bad) && !strings.HasPrefix(arg, "--listen-metrics-urls=")) {
				t.Errorf("%s must not be there", arg)
			}
		}
	}
}
