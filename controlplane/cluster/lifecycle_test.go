package cluster

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

const lifecycle = "docs/reference/lifecycle.md"

// The table of what rolls control planes has every field of a Cluster, and says of each what
// comes of a change: what a control plane is asked for is the same, or another version.
func TestTheTableOfClusterFields(t *testing.T) {
	verdicts := apitest.Verdicts(t, lifecycle, "### Fields of a Cluster")
	fields := apitest.Fields(reflect.TypeFor[v1alpha1.ClusterSpec]())
	if diff := cmp.Diff(slices.Sorted(slices.Values(fields)), slices.Sorted(maps.Keys(verdicts))); diff != "" {
		t.Errorf("fields in the table (-of the Cluster +of the table):\n%s", diff)
	}
	changes := map[string]func(*v1alpha1.ClusterSpec){
		"version":        func(s *v1alpha1.ClusterSpec) { s.Version = newVersion },
		"credentialsRef": func(s *v1alpha1.ClusterSpec) { s.CredentialsRef = &v1alpha1.LocalReference{Name: "other"} },
		"access":         func(s *v1alpha1.ClusterSpec) { s.Access.CertSANs = []string{"shop.example"} },
		"maintenance":    func(s *v1alpha1.ClusterSpec) { s.Maintenance.Window = on("Any", 3) },
	}
	for field, verdict := range verdicts {
		if verdict == "refused" {
			continue // by the API server: see TestRule01WhatCannotBeChanged
		}
		change := changes[field]
		if change == nil {
			t.Errorf("%s: nobody tries what comes of a change", field)
			continue
		}
		before := &v1alpha1.Cluster{}
		before.Spec.Version = oldVersion
		after := before.DeepCopy()
		if change(&after.Spec); cmp.Equal(before, after) {
			t.Errorf("%s: nothing is changed", field)
		}
		was, is := desiredControlPlane(before, nil).Spec, desiredControlPlane(after, nil).Spec
		// Names are of the certificate alone, which is no input of a component.
		was.CertSANs, is.CertSANs = nil, nil
		if rolled := !cmp.Equal(was, is); rolled != (verdict == "rolled") {
			t.Errorf("%s: rolled: %v, and the table says %s", field, rolled, verdict)
		}
	}
}
