package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"k8s.io/utils/ptr"
)

// What a Go program leaves zero must get its default like what YAML leaves out.
func TestDefaultsOfGoTypes(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		t.Run("Cluster", func(t *testing.T) {
			o := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: newName()}}
			o.Spec.Version = "1.37.1-1"
			if err := s.client.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			want := v1alpha1.ClusterSpec{
				Version:         "1.37.1-1",
				HostingClassRef: v1alpha1.LocalReference{Name: "default"},
				ControlPlane:    v1alpha1.ControlPlaneSpec{Type: "Hosted"},
				Network:         v1alpha1.TenantNetworkSpec{NetworkSpec: v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"}},
			}
			if d := cmp.Diff(want, o.Spec); d != "" {
				t.Errorf("the spec as stored (-want +got):\n%s", d)
			}
		})
		t.Run("EtcdCluster", func(t *testing.T) {
			o := &v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: newName()}}
			o.Spec.Version = "3.7.3"
			if err := s.client.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			want := v1alpha1.EtcdClusterSpec{Version: "3.7.3", MaxTenants: ptr.To[int32](250), StorageQuota: resource.MustParse("8Gi")}
			if d := cmp.Diff(want, o.Spec); d != "" {
				t.Errorf("the spec as stored (-want +got):\n%s", d)
			}
		})
		t.Run("HostingClass", func(t *testing.T) {
			o := &v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: newName()}}
			o.Spec.EtcdClusters = []string{"a"}
			if err := s.client.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if o.Spec.Exposure.Type != "Host" {
				t.Errorf("exposure %q, want Host", o.Spec.Exposure.Type)
			}
		})
	})
}
