package kubernetes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// The table of what rolls control planes has every field of a HostingClass, and says of each
// whether the pods become others.
func TestTheTableOfHostingFields(t *testing.T) {
	changes := map[string]func(*v1alpha1.HostingClassSpec){
		"exposure": func(s *v1alpha1.HostingClassSpec) {
			s.Exposure = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort, Address: "192.0.2.1", Annotations: map[string]string{"a": "b"}}
		},
		"nodeAccess": func(s *v1alpha1.HostingClassSpec) { s.NodeAccess = v1alpha1.NodeAccessKonnectivity },
		"addons":     func(s *v1alpha1.HostingClassSpec) { s.Addons.CoreDNS, s.Addons.ImagePullSecret = "None", "pull" },
		"sizes": func(s *v1alpha1.HostingClassSpec) {
			s.Sizes.APIServer.Memory = new(resource.MustParse("2Gi"))
		},
		"registry":          func(s *v1alpha1.HostingClassSpec) { s.Registry = "registry.example" },
		"imagePullSecret":   func(s *v1alpha1.HostingClassSpec) { s.ImagePullSecret = "pull" },
		"nodeSelector":      func(s *v1alpha1.HostingClassSpec) { s.NodeSelector = map[string]string{"a": "b"} },
		"tolerations":       func(s *v1alpha1.HostingClassSpec) { s.Tolerations = []corev1.Toleration{{Key: "a"}} },
		"priorityClassName": func(s *v1alpha1.HostingClassSpec) { s.PriorityClassName = "high" },
		// What a control plane may be placed on is no input of a component.
		"etcdClusters": func(s *v1alpha1.HostingClassSpec) { s.EtcdClusters = []string{"other"} },
	}
	hosted := func(spec *v1alpha1.HostingClassSpec) component.HostedInputs {
		in := hostedInputs()
		in.Hosting = spec.HostingSpec
		return in
	}
	before := v1alpha1.HostingClassSpec{HostingSpec: hosting()}
	apitest.WantVerdicts(t, "docs/reference/lifecycle.md", "### Fields of a HostingClass", before, changes, func(before, after *v1alpha1.HostingClassSpec) string {
		if !cmp.Equal(templates(t, hosted(before)), templates(t, hosted(after))) {
			return "rolled"
		}
		return "nothing"
	})
}

// templates are those of the pods of a control plane.
func templates(t *testing.T, in component.HostedInputs) (all []corev1.PodTemplateSpec) {
	t.Helper()
	for _, c := range []component.Component{component.APIServer(in), component.ControllerManager(in), component.Scheduler(in)} {
		all = append(all, templateOf(t, c))
	}
	return all
}
