package component

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestEtcdBeginsAnew: what a member without data is told changes with what has become
// of the cluster, and what one with data is told does not.
func TestEtcdBeginsAnew(t *testing.T) {
	const (
		zero, one, two = "etcd-default-0=https://127.0.0.1:20010", "etcd-default-1=https://127.0.0.1:20011", "etcd-default-2=https://127.0.0.1:20012"
		again          = "$(REPLICA)=https://$(HOST):0$(PORT_peer)"
	)
	for name, tc := range map[string]struct {
		formed bool
		absent []int
		want   []string
	}{
		"TheFirstTime": {want: []string{"--initial-cluster=" + zero + "," + one + "," + two, "--initial-cluster-state=new"}},
		"Formed":       {formed: true, want: []string{"--initial-cluster=" + zero + "," + one + "," + two + "," + again, "--initial-cluster-state=existing"}},
		"OneIsUnknown": {formed: true, absent: []int{1}, want: []string{"--initial-cluster=" + zero + "," + two + "," + again, "--initial-cluster-state=existing"}},
	} {
		in := etcdInputs()
		in.Formed, in.Absent = tc.formed, tc.absent
		c := Etcd(in)
		if diff := cmp.Diff(tc.want, c.Main.BeginArgs[1:3]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(Etcd(etcdInputs()).Main.Args, c.Main.Args); diff != "" {
			t.Errorf("%s: members with data would restart:\n%s", name, diff)
		}
	}
}

func TestEtcdJoiningURLs(t *testing.T) {
	for host, want := range map[string][]string{
		"127.0.0.1":              {"https://127.0.0.1:2380", "https://127.0.0.1:02380"},
		"fd00::1":                {"https://[fd00::1]:2380", "https://[fd00::1]:02380"},
		"etcd-0.etcd.marina.svc": {"https://etcd-0.etcd.marina.svc:2380", "https://etcd-0.etcd.marina.svc:02380"},
	} {
		a := Addresses{Replicas: []map[string]HostPort{{"peer": {Host: host, Port: 2380}}}}
		if diff := cmp.Diff(want, EtcdJoiningURLs(a, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", host, diff)
		}
	}
}

func TestEtcdHosting(t *testing.T) {
	in := etcdInputs()
	c := Etcd(in)
	if got := c.DataSize.String(); got != "18Gi" {
		t.Errorf("volume of %s for a quota of 8Gi, want 18Gi: a defragmentation writes the store a second time", got)
	}
	in.Spec.StorageSize, in.Spec.StorageClass = ptr.To(resource.MustParse("5Gi")), "fast"
	in.Spec.WorkloadSpec = v1alpha1.WorkloadSpec{Registry: "images.example.com", NodeSelector: map[string]string{"disk": "fast"}, PriorityClassName: "high"}
	in.Spec.Resources = v1alpha1.Size{CPU: ptr.To(resource.MustParse("2")), Memory: ptr.To(resource.MustParse("6Gi"))}
	c = Etcd(in)
	if c.DataSize.String() != "5Gi" || c.StorageClass != "fast" {
		t.Errorf("volume of %s and class %q, want 5Gi and fast", c.DataSize.String(), c.StorageClass)
	}
	if diff := cmp.Diff(in.Spec.WorkloadSpec, c.Hosting.WorkloadSpec); diff != "" {
		t.Errorf("hosting (-want +got):\n%s", diff)
	}
	want := Resources{RequestMilliCPU: 2000, RequestMemory: 6 << 30, LimitMemory: 6 << 30}
	if diff := cmp.Diff(want, c.Main.Resources); diff != "" {
		t.Errorf("a limit below the request would be refused (-want +got):\n%s", diff)
	}
}
