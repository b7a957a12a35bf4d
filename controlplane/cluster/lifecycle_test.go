package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

const lifecycle = "docs/reference/lifecycle.md"

// The table of what rolls control planes has every field of a Cluster, and says of each what
// comes of a change: what a control plane is asked for is the same, or another version.
func TestTheTableOfClusterFields(t *testing.T) {
	changes := map[string]func(*v1alpha1.ClusterSpec){
		"version":        func(s *v1alpha1.ClusterSpec) { s.Version = newVersion },
		"credentialsRef": func(s *v1alpha1.ClusterSpec) { s.CredentialsRef = &v1alpha1.LocalReference{Name: "other"} },
		"access":         func(s *v1alpha1.ClusterSpec) { s.Access.CertSANs = []string{"shop.example"} },
		"maintenance":    func(s *v1alpha1.ClusterSpec) { s.Maintenance.Window = on("Any", 3) },
	}
	asked := func(spec *v1alpha1.ClusterSpec) v1alpha1.HostedControlPlaneSpec {
		is := desiredControlPlane(&v1alpha1.Cluster{Spec: *spec}, nil).Spec
		// Names are of the certificate alone, which is no input of a component.
		is.CertSANs = nil
		return is
	}
	apitest.WantVerdicts(t, lifecycle, "### Fields of a Cluster", v1alpha1.ClusterSpec{Version: oldVersion}, changes, func(before, after *v1alpha1.ClusterSpec) string {
		if !cmp.Equal(asked(before), asked(after)) {
			return "rolled"
		}
		return "nothing"
	})
}
