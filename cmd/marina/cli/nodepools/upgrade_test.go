package nodepools

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A pool is upgraded to the version of its control plane, and one that has it is refused: there
// is no silent success.
func TestRule15Upgrade(t *testing.T) {
	for name, tc := range map[string]struct {
		pool    v1alpha1.NodePoolStatus
		args    []string
		version string
		out     string
		problem string
	}{
		"ToTheControlPlane": {v1alpha1.NodePoolStatus{Version: "1.36.4-1"}, nil, "1.37.1-1", "nodepool \"workers\" is to run 1.37.1-1\n", ""},
		"ToAnother":         {v1alpha1.NodePoolStatus{Version: "1.36.4-1"}, []string{"--version=1.36.5-1"}, "1.36.5-1", "nodepool \"workers\" is to run 1.36.5-1\n", ""},
		"ADryRun":           {v1alpha1.NodePoolStatus{Version: "1.36.4-1"}, []string{"--dry-run=server"}, "", "nodepool \"workers\" is to run 1.37.1-1 (server dry run)\n", ""},
		"ItMatches": {
			v1alpha1.NodePoolStatus{Version: "1.37.1-1", Replicas: 3, UpdatedReplicas: 3}, nil, "", "",
			"Error: nodepool \"workers\" runs 1.37.1-1 already, as its control plane does: there is nothing to upgrade\n" +
				"What to do: upgrade the cluster first, if its nodes are to be newer: pools do not run ahead of it\n",
		},
		"ItIsAtIt": {
			v1alpha1.NodePoolStatus{Version: "1.37.1-1", Replicas: 3, UpdatedReplicas: 1}, nil, "", "",
			"Error: nodepool \"workers\" is being upgraded to 1.37.1-1 already\nWhat to do: wait until it is Active ('marina nodepool wait workers')\n",
		},
		"AheadOfTheControlPlane": {
			v1alpha1.NodePoolStatus{Version: "1.36.4-1"}, []string{"--version=1.38.0-1"}, "", "",
			"Error: nodepool \"workers\": kubelet 1.38.0-1 is newer than the control plane 1.37.1-1: upgrade the control plane first, or choose at most 1.37.1-1 for the nodes\nWhat to do: choose a version that the message allows\n",
		},
		"NoVersion": {
			v1alpha1.NodePoolStatus{Version: "1.36.4-1"}, []string{"--version=v1.38"}, "", "",
			"Error: --version: release \"v1.38\": must not begin with v; write MAJOR.MINOR.PATCH-BUILD, for example 1.37.1-1\nWhat to do: see 'kubectl get kubernetesreleases'\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			cluster := &v1alpha1.Cluster{}
			if err := p.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "demo"}, cluster); err != nil {
				t.Fatal(err)
			}
			cluster.Status.Version = "1.37.1-1"
			if err := p.Status().Update(t.Context(), cluster); err != nil {
				t.Fatal(err)
			}
			p.addPool(t, "workers", "demo")
			if err := p.reports(t, "workers", tc.pool)(p); err != nil {
				t.Fatal(err)
			}
			out, _, err := p.run(t, nil, append([]string{"upgrade", "workers"}, tc.args...)...)
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" || out != tc.out {
				t.Errorf("wrote %q, want %q (-want +got):\n%s", out, tc.out, diff)
			}
			if got := p.pool(t, "workers").Spec.Version; got != tc.version {
				t.Errorf("it is to run %q, want %q", got, tc.version)
			}
		})
	}
}
