package clusters

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	lists  = "What to do: 'marina cluster upgrade demo -n NAMESPACE' lists what it may be upgraded to"
	waits  = "What to do: wait until it is Active ('marina cluster wait demo -n NAMESPACE --for=phase=Active')"
	goBack = "; to go back: kubectl patch cluster demo -n NAMESPACE --type merge -p '{\"spec\":{\"version\":\"1.36.4-1\"}}'"
	done   = "'marina operation list demo -n NAMESPACE' shows what was done"
)

// phase is a state of a cluster whose status says why.
func phase(phase v1alpha1.ClusterPhase, message string) func(*v1alpha1.ClusterStatus) {
	return func(s *v1alpha1.ClusterStatus) { s.Phase, s.Message = phase, message }
}

// condition is a condition besides that.
func condition(state func(*v1alpha1.ClusterStatus), kind string, status metav1.ConditionStatus, reason, message string) func(*v1alpha1.ClusterStatus) {
	return func(s *v1alpha1.ClusterStatus) {
		state(s)
		s.Conditions = append(s.Conditions, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now()})
	}
}

// What the API or the controller would refuse is refused before it is written, with what to do.
func TestUpgrade(t *testing.T) {
	updating := phase(v1alpha1.ClusterUpdating, "operation demo-restart-1 (Restart) runs")
	stuck := condition(phase(v1alpha1.ClusterDegraded, "1 of 3 replicas is stuck"), v1alpha1.ConditionSpecAccepted, metav1.ConditionFalse, v1alpha1.ReasonRolloutStuck, "1 of 3 replicas is stuck")
	for name, tc := range map[string]struct {
		infrastructure string
		spec           string // 1.36.4-1, which runs, if it is empty
		state          func(*v1alpha1.ClusterStatus)
		args           string
		version        string // as it is afterwards, if it is another one
		out            string
		problem        string
	}{
		"ToAPatch":   {args: "1.36.5-1", version: "1.36.5-1", out: "cluster \"demo\" is being upgraded from 1.36.4-1 to 1.36.5-1\n"},
		"ToAMinor":   {args: "1.37.1-1", version: "1.37.1-1", out: "cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1\n"},
		"OfferedToo": {infrastructure: "paris", args: "1.36.5-1", version: "1.36.5-1", out: "cluster \"demo\" is being upgraded from 1.36.4-1 to 1.36.5-1\n"},
		"ADryRun":    {args: "1.37.1-1 --dry-run=server", out: "cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1 (server dry run)\n"},
		"TheSame":    {args: "1.36.4-1", problem: "Error: cluster \"demo\" runs 1.36.4-1 already: there is nothing to upgrade\n" + lists + "\n"},
		"NoVersion":  {args: "v1.37", problem: "Error: VERSION: release \"v1.37\": must not begin with v; write MAJOR.MINOR.PATCH-BUILD, for example 1.37.1-1\n" + lists + "\n"},
		"NoRelease":  {args: "1.36.6-1", problem: "Error: cluster \"demo\": there is no release 1.36.6-1\n" + lists + "\n"},
		"NoReleaseThoughOffered": {infrastructure: "paris", args: "1.36.6-1",
			problem: "Error: cluster \"demo\": there is no release 1.36.6-1\n" + lists + "\n"},
		"NotOffered": {infrastructure: "paris", args: "1.37.1-1",
			problem: "Error: cluster \"demo\": infrastructure \"paris\" does not offer 1.37.1-1\n" + lists + "; or have it added to spec.releases of the infrastructure\n"},
		"ADowngrade": {args: "1.35.9-1", problem: "Error: cluster \"demo\": 1.35.9-1 is older than 1.36.4-1 and a downgrade is not possible: " +
			"stay, or choose a newer version; offered: 1.36.5-1, 1.36.5-9, 1.36.5-10, 1.37.1-1\n" + lists + "\n"},
		"TwoMinors": {args: "1.38.0-1", problem: "Error: cluster \"demo\": 1.38.0-1 is more than one minor version ahead of 1.36.4-1: upgrade to 1.37 first; offered: 1.37.1-1\n" + lists + "\n"},
		"NotBegun": {state: func(s *v1alpha1.ClusterStatus) { s.Phase, s.Version = v1alpha1.ClusterCreating, "" }, args: "1.37.1-1",
			problem: "Error: cluster \"demo\" does not tell yet which version it runs\nWhat to do: wait until it is ready ('marina cluster wait demo -n NAMESPACE')\n"},
		"Updating": {state: updating, args: "1.37.1-1",
			problem: "Error: cluster \"demo\" is Updating, and only one that is Active can be upgraded: operation demo-restart-1 (Restart) runs\n" + waits + "\n"},
		"Degraded": {state: phase(v1alpha1.ClusterDegraded, "etcd is away"), args: "1.37.1-1",
			problem: "Error: cluster \"demo\" is Degraded, and only one that is Active can be upgraded: etcd is away\nWhat to do: correct the cause; 'marina cluster get demo -n NAMESPACE -o yaml' shows all conditions\n"},
		"BeingUpgraded": {spec: "1.37.1-1", state: phase(v1alpha1.ClusterUpgrading, ""), args: "1.37.1-1",
			problem: "Error: cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1 already\n" + waits + goBack + "\n"},
		"JustAskedFor": {spec: "1.37.1-1", args: "1.36.5-1",
			problem: "Error: cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1 already\n" + waits + goBack + "\n"},
		"BackAgain": {spec: "1.37.1-1", state: phase(v1alpha1.ClusterUpgrading, ""), args: "1.36.4-1",
			problem: "Error: cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1 already\n" + waits + goBack + "\n"},
		"NoWayBack": {spec: "1.37.1-1", state: func(s *v1alpha1.ClusterStatus) { s.Phase, s.Committed = v1alpha1.ClusterUpgrading, "1.37.1-1" }, args: "1.36.4-1",
			problem: "Error: cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1 already\n" + waits + "\n"},
		"Stuck": {spec: "1.37.1-1", state: stuck, args: "1.37.1-1",
			problem: "Error: cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1 already, and is Degraded: 1 of 3 replicas is stuck\nWhat to do: correct the cause, and it goes on by itself; " + done + goBack + "\n"},
		"OfAnotherOpinion": {state: func(s *v1alpha1.ClusterStatus) { s.Accepted.Version = "1.36.5-1" }, args: "1.37.1-1",
			problem: "Error: cluster \"demo\" is refused: spec.version: the version can be changed only while the cluster is Active and has taken up its last change; now it is Active: " +
				"wait for it with 'kubectl wait --for=jsonpath={.status.phase}=Active cluster/NAME' and change it then, or set it to what status.version, status.accepted.version or status.committed says\n"},
	} {
		t.Run(name, func(t *testing.T) {
			before := tc.spec
			if before == "" {
				before = "1.36.4-1"
			}
			p := newProject(t, before, tc.infrastructure)
			if tc.state != nil {
				if err := p.reports(t, tc.state)(p); err != nil {
					t.Fatal(err)
				}
			}
			out, _, err := p.run(t, p, nil, append([]string{"upgrade", "demo"}, strings.Fields(tc.args)...)...)
			problem := strings.ReplaceAll(clitest.Explained(err), p.namespace, "NAMESPACE")
			if diff := cmp.Diff(tc.problem, problem); diff != "" || out != tc.out {
				t.Errorf("wrote %q, want %q (-want +got):\n%s", out, tc.out, diff)
			}
			want := tc.version
			if want == "" {
				want = before
			}
			if got := p.demo(t).Spec.Version; got != want {
				t.Errorf("it is to run %q, want %q", got, want)
			}
		})
	}
}

func TestUpgradeOfOneThatIsBeingDeleted(t *testing.T) {
	p := newProject(t, "1.36.4-1", "")
	if err := p.Delete(t.Context(), p.demo(t)); err != nil {
		t.Fatal(err)
	}
	_, _, err := p.run(t, p, nil, "upgrade", "demo", "1.37.1-1")
	want := "Error: cluster \"demo\" is being deleted\nWhat to do: choose another one: a deletion cannot be taken back\n"
	if diff := cmp.Diff(want, clitest.Explained(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Of two who ask in the same moment one upgrades, and the other is told so. A status that is
// written in that moment refuses nobody.
func TestUpgradeThatSomethingComesBefore(t *testing.T) {
	for name, tc := range map[string]struct {
		before  func(*project) clitest.Change
		version string
		out     string
		problem string
	}{
		"AnotherUpgrade": {
			before:  func(p *project) clitest.Change { return p.asks(t, "1.36.5-1") },
			version: "1.36.5-1",
			problem: "Error: cluster \"demo\" is being upgraded from 1.36.4-1 to 1.36.5-1 already\n" + waits + goBack + "\n",
		},
		"AFault": {
			before:  func(p *project) clitest.Change { return p.reports(t, phase(v1alpha1.ClusterDegraded, "etcd is away")) },
			version: "1.36.4-1",
			problem: "Error: cluster \"demo\" is Degraded, and only one that is Active can be upgraded: etcd is away\n" +
				"What to do: correct the cause; 'marina cluster get demo -n NAMESPACE -o yaml' shows all conditions\n",
		},
		"AStatus": {
			before:  func(p *project) clitest.Change { return p.reports(t, phase(v1alpha1.ClusterActive, "it serves")) },
			version: "1.37.1-1",
			out:     "cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t, "1.36.4-1", "")
			happens := tc.before(p)
			c := interceptor.NewClient(p.WithWatch, interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
					if happens != nil {
						if err := happens(c); err != nil {
							return err
						}
						happens = nil
					}
					return c.Patch(ctx, o, patch, opts...)
				},
			})
			out, _, err := p.run(t, c, nil, "upgrade", "demo", "1.37.1-1")
			problem := strings.ReplaceAll(clitest.Explained(err), p.namespace, "NAMESPACE")
			if diff := cmp.Diff(tc.problem, problem); diff != "" || out != tc.out {
				t.Errorf("wrote %q, want %q (-want +got):\n%s", out, tc.out, diff)
			}
			if got := p.demo(t).Spec.Version; got != tc.version {
				t.Errorf("it is to run %q, want %q", got, tc.version)
			}
		})
	}
}
