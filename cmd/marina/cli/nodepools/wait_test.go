package nodepools

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var (
	creating = v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolCreating, Message: "1 of 3 nodes are ready"}
	active   = v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolActive, Message: "3 of 3 nodes are ready"}
	broken   = v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolError, Message: "the project's quota of cores is used up"}
	refused  = v1alpha1.NodePoolStatus{
		Phase: v1alpha1.PoolDegraded, Message: "the spec is refused",
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionSpecAccepted, Status: metav1.ConditionFalse, Reason: "NoFlavor",
			Message: "there is no flavor b3-9", LastTransitionTime: metav1.Now(),
		}},
	}
)

func TestCreateAndWait(t *testing.T) {
	p := newProject(t)
	out, errOut, err := p.run(t, []clitest.Change{p.reports(t, "workers", creating, active)},
		"create", "workers", "--cluster", "demo", "--flavor", "b3-8", "--replicas", "3", "--wait")
	if err != nil {
		t.Fatal(clitest.Explained(err))
	}
	if want := "nodepool \"workers\" created\nnodepool \"workers\" is active\n"; clitest.WithoutTimes(out) != want {
		t.Errorf("results are %q, want %q", out, want)
	}
	if want := "workers: Pending: no manager has taken it up yet\nworkers: Creating: 1 of 3 nodes are ready\n"; clitest.WithoutTimes(errOut) != want {
		t.Errorf("progress is %q, want %q", errOut, want)
	}
}

func TestCreateAndWaitPrintsThePoolThatFailed(t *testing.T) {
	p := newProject(t)
	out, _, err := p.run(t, []clitest.Change{p.reports(t, "workers", broken)},
		"create", "workers", "--cluster", "demo", "--flavor", "b3-8", "--wait", "-o", "yaml")
	if !strings.Contains(out, "phase: Error") {
		t.Errorf("standard output must be the object as it was when the waiting was over:\n%s", out)
	}
	want := "Error: nodepool \"workers\" is in phase Error: the project's quota of cores is used up\n"
	if problem := clitest.Explained(err); !strings.HasPrefix(problem, want) {
		t.Errorf("got %q", problem)
	}
}

func TestWait(t *testing.T) {
	p := newProject(t)
	correct := "What to do: correct the cause; 'marina nodepool get demo -n " + p.namespace + " -o yaml' shows all conditions\n"
	cases := map[string]struct {
		args    []string
		now     v1alpha1.NodePoolStatus
		then    []v1alpha1.NodePoolStatus
		out     string
		problem string
	}{
		"ActiveAlready":   {now: active, out: "nodepool \"demo\" is active\n"},
		"ActiveLater":     {now: creating, then: []v1alpha1.NodePoolStatus{active}, out: "nodepool \"demo\" is active\n"},
		"SaidAsTheGoal":   {args: []string{"--for=active"}, now: active, out: "nodepool \"demo\" is active\n"},
		"AnotherPhase":    {args: []string{"--for=phase=Creating"}, now: creating, out: "nodepool \"demo\" is Creating\n"},
		"Error":           {now: creating, then: []v1alpha1.NodePoolStatus{broken}, problem: "Error: nodepool \"demo\" is in phase Error: the project's quota of cores is used up\n" + correct},
		"TheSpecIsWrong":  {now: creating, then: []v1alpha1.NodePoolStatus{refused}, problem: "Error: nodepool \"demo\" is in phase Degraded: there is no flavor b3-9\n" + correct},
		"PhaseOfClusters": {args: []string{"--for=phase=Ready"}, problem: "Error: --for: there is no phase \"Ready\": choose one of Pending, Creating, Active, Scaling, Updating, Upgrading, Degraded, Deleting, Error\nWhat to do: see 'marina wait --help'\n"},
		"WordOfClusters":  {args: []string{"--for=ready"}, problem: "Error: --for: \"ready\" is not something to wait for: choose active, deleted, phase=PHASE or condition=TYPE\nWhat to do: see 'marina wait --help'\n"},
	}
	p.addPool(t, "demo", "demo")
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := p.reports(t, "demo", tc.now)(p); err != nil {
				t.Fatal(err)
			}
			out, _, err := p.run(t, []clitest.Change{p.reports(t, "demo", tc.then...)}, append([]string{"wait", "demo"}, tc.args...)...)
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" || clitest.WithoutTimes(out) != tc.out {
				t.Errorf("wrote %q, want %q (-want +got):\n%s", out, tc.out, diff)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	cases := map[string]struct {
		args    string
		lets    []string // the pools that a controller lets go
		out     string
		problem string
	}{
		"WaitsByDefault":  {args: "a", lets: []string{"a"}, out: "nodepool \"a\" deleted\n"},
		"Several":         {args: "a b -o name", lets: []string{"a", "b"}, out: "nodepool.marina.dev/a\nnodepool.marina.dev/b\n"},
		"IfAskedNotTo":    {args: "a --wait=false", out: "nodepool \"a\" is being deleted\n"},
		"ADryRun":         {args: "a --dry-run=server", out: "nodepool \"a\" deleted (server dry run)\n"},
		"NoneMayBeFine":   {args: "web --ignore-not-found"},
		"NoneIsAFailure":  {args: "web", problem: "Error: no nodepool \"web\" in namespace \"NAMESPACE\"\nWhat to do: 'marina nodepool list --all-namespaces' shows what there is\n"},
		"AnUnknownFormat": {args: "a -o yaml", problem: "Error: -o: unknown format \"yaml\": choose name\nWhat to do: see 'marina delete --help'\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			p.addPool(t, "a", "demo")
			p.addPool(t, "b", "demo")
			var changes []clitest.Change
			for _, name := range tc.lets {
				changes = append(changes, p.releases(t, name))
			}
			out, _, err := p.run(t, changes, append([]string{"delete"}, strings.Fields(tc.args)...)...)
			problem := strings.ReplaceAll(clitest.Explained(err), p.namespace, "NAMESPACE")
			if diff := cmp.Diff(tc.problem, problem); diff != "" || clitest.WithoutTimes(out) != tc.out {
				t.Errorf("wrote %q, want %q (-want +got):\n%s", out, tc.out, diff)
			}
		})
	}
}

func TestWaitUntilDeleted(t *testing.T) {
	p := newProject(t)
	p.addPool(t, "workers", "demo")
	if _, _, err := p.run(t, nil, "delete", "workers", "--wait=false"); err != nil {
		t.Fatal(err)
	}
	out, errOut, err := p.run(t, []clitest.Change{func(c client.Client) error {
		deleting := v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolDeleting, Message: "2 nodes are left"}
		if err := p.reports(t, "workers", deleting)(c); err != nil {
			return err
		}
		return p.releases(t, "workers")(c)
	}}, "wait", "workers", "--for=deleted")
	if err != nil || clitest.WithoutTimes(out) != "nodepool \"workers\" was deleted\n" {
		t.Errorf("wrote %q, %v", out, err)
	}
	want := "workers: Deleting: no manager has taken the deletion up yet\nworkers: Deleting: 2 nodes are left\n"
	if diff := cmp.Diff(want, clitest.WithoutTimes(errOut)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
