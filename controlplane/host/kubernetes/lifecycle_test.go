package kubernetes

import (
	"maps"
	"reflect"
	"slices"
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
	verdicts := apitest.Verdicts(t, "docs/reference/lifecycle.md", "### Fields of a HostingClass")
	fields := apitest.Fields(reflect.TypeFor[v1alpha1.HostingClassSpec]())
	if diff := cmp.Diff(slices.Sorted(slices.Values(fields)), slices.Sorted(maps.Keys(verdicts))); diff != "" {
		t.Errorf("fields in the table (-of the HostingClass +of the table):\n%s", diff)
	}
	changes := map[string]func(*v1alpha1.HostingSpec){
		"exposure": func(s *v1alpha1.HostingSpec) {
			s.Exposure = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort, Address: "192.0.2.1", Annotations: map[string]string{"a": "b"}}
		},
		"nodeAccess": func(s *v1alpha1.HostingSpec) { s.NodeAccess = v1alpha1.NodeAccessKonnectivity },
		"addons":     func(s *v1alpha1.HostingSpec) { s.Addons.CoreDNS, s.Addons.ImagePullSecret = "None", "pull" },
		"sizes": func(s *v1alpha1.HostingSpec) {
			s.Sizes.APIServer.Memory = new(resource.MustParse("2Gi"))
		},
		"registry":          func(s *v1alpha1.HostingSpec) { s.Registry = "registry.example" },
		"imagePullSecret":   func(s *v1alpha1.HostingSpec) { s.ImagePullSecret = "pull" },
		"nodeSelector":      func(s *v1alpha1.HostingSpec) { s.NodeSelector = map[string]string{"a": "b"} },
		"tolerations":       func(s *v1alpha1.HostingSpec) { s.Tolerations = []corev1.Toleration{{Key: "a"}} },
		"priorityClassName": func(s *v1alpha1.HostingSpec) { s.PriorityClassName = "high" },
		// What a control plane may be placed on is no input of a component.
		"etcdClusters": nil,
	}
	for field, verdict := range verdicts {
		change, tried := changes[field]
		if !tried {
			t.Errorf("%s: nobody tries what comes of a change", field)
			continue
		}
		before, after := hostedInputs(), hostedInputs()
		if change != nil {
			if change(&after.Hosting); cmp.Equal(before.Hosting, after.Hosting) {
				t.Errorf("%s: nothing is changed", field)
			}
		}
		if rolled := !cmp.Equal(templates(t, before), templates(t, after)); rolled != (verdict == "rolled") {
			t.Errorf("%s: rolled: %v, and the table says %s", field, rolled, verdict)
		}
	}
}

// templates are those of the pods of a control plane.
func templates(t *testing.T, in component.HostedInputs) (all []corev1.PodTemplateSpec) {
	t.Helper()
	for _, c := range []component.Component{component.APIServer(in), component.ControllerManager(in), component.Scheduler(in)} {
		all = append(all, templateOf(t, c))
	}
	return all
}
