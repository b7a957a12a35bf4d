package nodepools

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestScale(t *testing.T) {
	cases := map[string]struct {
		remove   []string // what a former change has left
		args     string
		replicas int32
		want     []string
		out      string
		problem  string
	}{
		"More": {args: "--replicas 5", replicas: 5, out: "nodepool \"workers\" scaled to 5\n"},
		"None": {args: "--replicas 0", replicas: 0, out: "nodepool \"workers\" scaled to 0\n"},
		"NodesByName": {
			args: "--replicas 1 --remove workers-b --remove workers-a", replicas: 1, want: []string{"workers-b", "workers-a"},
			out: "nodepool \"workers\" scaled to 1\n",
		},
		"FormerNamesAreForgotten": {remove: []string{"workers-a"}, args: "--replicas 2", replicas: 2, out: "nodepool \"workers\" scaled to 2\n"},
		"TheSameAgain": {
			remove: []string{"workers-a"}, args: "--replicas 3 --remove workers-a", replicas: 3, want: []string{"workers-a"},
			out: "nodepool \"workers\" scaled to 3\n",
		},
		"ADryRun": {args: "--replicas 5 --dry-run=server", replicas: 3, out: "nodepool \"workers\" scaled to 5 (server dry run)\n"},
		"NamesOfNodesThatWouldStay": {
			args: "--replicas 3 --remove workers-a", replicas: 3,
			problem: "Error: --remove names nodes to go, but nodepool \"workers\" is to have 3 nodes and you ask for 3\nWhat to do: ask for fewer nodes, or leave --remove out\n",
		},
		"NamesOfNoNodes": {
			args: "--replicas 1 --remove workers-a,typo,other", replicas: 3,
			problem: "Error: --remove: nodepool \"workers\" has no node typo, other\nWhat to do: its nodes are workers-a, workers-b, workers-c\n",
		},
		"WithoutANumber": {
			args: "--remove workers-a", replicas: 3,
			problem: "Error: --replicas is missing: say how many nodes there are to be\nWhat to do: see 'marina scale --help'\n",
		},
		"TooMany": {
			args: "--replicas 21", replicas: 3,
			problem: "Error: nodepool \"workers\" is refused: spec.replicas: spec.replicas in body should be less than or equal to 20\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			p.addPool(t, "workers", "demo", tc.remove...)
			status := v1alpha1.NodePoolStatus{Replicas: 3, Nodes: []string{"workers-a", "workers-b", "workers-c"}}
			if err := p.reports(t, "workers", status)(p); err != nil {
				t.Fatal(err)
			}
			out, _, err := p.run(t, nil, append([]string{"scale", "workers"}, strings.Fields(tc.args)...)...)
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" || out != tc.out {
				t.Errorf("wrote %q, want %q (-want +got):\n%s", out, tc.out, diff)
			}
			want := v1alpha1.NodePoolSpec{
				ClusterRef: v1alpha1.LocalReference{Name: "demo"}, Flavor: "b3-8", Replicas: &tc.replicas, NodesToRemove: tc.want, CreationTimeoutSeconds: new(int32(1800)),
			}
			if diff := cmp.Diff(want, p.pool(t, "workers").Spec); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where it is not known which nodes there are, names are taken as they are.
func TestScaleOfUnknownNodes(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas int32
		problem  string
	}{
		"OfAnOlderManager": {replicas: 3},
		"None":             {problem: "Error: --remove: nodepool \"workers\" has no node workers-a\nWhat to do: it has no nodes\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			p.addPool(t, "workers", "demo")
			if err := p.reports(t, "workers", v1alpha1.NodePoolStatus{Replicas: tc.replicas})(p); err != nil {
				t.Fatal(err)
			}
			_, _, err := p.run(t, nil, "scale", "workers", "--replicas=1", "--remove=workers-a")
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A pool whose number has been left out has the one that it had, before that is in its spec again.
func TestScaleOfAKeptNumber(t *testing.T) {
	for name, tc := range map[string]struct{ args, problem string }{
		"Fewer":   {args: "--replicas=1 --remove=workers-a"},
		"TheSame": {"--replicas=3 --remove=workers-a", "Error: --remove names nodes to go, but nodepool \"workers\" is to have 3 nodes and you ask for 3\nWhat to do: ask for fewer nodes, or leave --remove out\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			p.addPool(t, "workers", "demo")
			pool := p.pool(t, "workers")
			pool.Spec.Replicas = nil
			if err := p.Update(t.Context(), pool); err != nil {
				t.Fatal(err)
			}
			status := v1alpha1.NodePoolStatus{Replicas: 3, Nodes: []string{"workers-a", "workers-b", "workers-c"}, Accepted: &v1alpha1.AcceptedPool{Replicas: 3}}
			if err := p.reports(t, "workers", status)(p); err != nil {
				t.Fatal(err)
			}
			_, _, err := p.run(t, nil, append([]string{"scale", "workers"}, strings.Fields(tc.args)...)...)
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := p.pool(t, "workers").Spec.Replicas; tc.problem == "" && (got == nil || *got != 1) {
				t.Errorf("it is to have %v nodes, want 1", got)
			}
		})
	}
}

// A pool that is upgraded keeps its number, and who asks for another one is told so at once.
func TestRule20ScaleWhileUpgrading(t *testing.T) {
	p := newProject(t)
	p.addPool(t, "workers", "demo")
	frozen := v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolUpgrading, Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionSizeFrozen, Status: metav1.ConditionTrue, Reason: "Upgrading", Message: "the pool is being upgraded", LastTransitionTime: metav1.Now(),
	}}}
	if err := p.reports(t, "workers", frozen)(p); err != nil {
		t.Fatal(err)
	}
	_, _, err := p.run(t, nil, "scale", "workers", "--replicas=5")
	want := "Error: nodepool \"workers\" cannot be scaled now: the pool is being upgraded\nWhat to do: wait until it is Active ('marina nodepool wait workers'), and scale it then\n"
	if diff := cmp.Diff(want, clitest.Explained(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := *p.pool(t, "workers").Spec.Replicas; got != 3 {
		t.Errorf("it is to have %d nodes", got)
	}
	if _, _, err := p.run(t, nil, "scale", "workers", "--replicas=3"); err != nil {
		t.Errorf("what it has: %s", clitest.Explained(err))
	}
}

func TestScaleOfNone(t *testing.T) {
	p := newProject(t)
	_, _, err := p.run(t, nil, "scale", "web", "--replicas=2")
	want := "Error: no nodepool \"web\" in namespace \"" + p.namespace + "\"\nWhat to do: 'marina nodepool list --all-namespaces' shows what there is\n"
	if diff := cmp.Diff(want, clitest.Explained(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestScaleAndWait(t *testing.T) {
	p := newProject(t)
	p.addPool(t, "workers", "demo")
	// It is Active, with as many nodes as before.
	if err := p.reports(t, "workers", v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolActive})(p); err != nil {
		t.Fatal(err)
	}
	out, errOut, err := p.run(t, []clitest.Change{p.reports(t, "workers",
		v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolScaling, Message: "3 of 5 nodes are ready"},
		v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolActive, Message: "5 of 5 nodes are ready"},
	)}, "scale", "workers", "--replicas=5", "--wait")
	if err != nil {
		t.Fatal(clitest.Explained(err))
	}
	if want := "nodepool \"workers\" scaled to 5\nnodepool \"workers\" is active\n"; clitest.WithoutTimes(out) != want {
		t.Errorf("results are %q, want %q", out, want)
	}
	if want := "workers: Active\nworkers: Scaling: 3 of 5 nodes are ready\n"; clitest.WithoutTimes(errOut) != want {
		t.Errorf("progress is %q, want %q", errOut, want)
	}
}
