package clusters

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A cluster serves during an upgrade: what is waited for is that it runs the version.
func TestUpgradeAndWait(t *testing.T) {
	upgrading := condition(phase(v1alpha1.ClusterUpgrading, "1 of 3 replicas run 1.37.1-1"), v1alpha1.ConditionReady, metav1.ConditionTrue, "AsExpected", "it serves")
	upgraded := func(s *v1alpha1.ClusterStatus) { s.Phase, s.Version = v1alpha1.ClusterActive, "1.37.1-1" }
	const progress = "demo: Active\ndemo: Upgrading: 1 of 3 replicas run 1.37.1-1\n"
	for name, tc := range map[string]struct {
		states  []func(*v1alpha1.ClusterStatus)
		asked   string // what somebody else asks for after that
		out     string
		errOut  string
		problem string
	}{
		"ItRunsIt": {
			states: []func(*v1alpha1.ClusterStatus){upgrading, upgraded},
			out:    "cluster \"demo\" is upgraded to 1.37.1-1\n",
			errOut: progress,
		},
		"ItDoesNotServeForAMoment": {
			states: []func(*v1alpha1.ClusterStatus){phase(v1alpha1.ClusterDegraded, "it does not answer"), upgraded},
			out:    "cluster \"demo\" is upgraded to 1.37.1-1\n",
			errOut: "demo: Active\ndemo: Degraded: it does not answer\n",
		},
		"ItIsRefused": {
			states: []func(*v1alpha1.ClusterStatus){condition(phase(v1alpha1.ClusterDegraded, "node pool old is too old"), v1alpha1.ConditionSpecAccepted, metav1.ConditionFalse, "NodePoolTooOld", "node pool old is too old")},
			errOut: "demo: Active\n",
			problem: "Error: cluster \"demo\" is in phase Degraded: node pool old is too old\n" +
				"What to do: correct the cause, and it goes on by itself; " + done + goBack + "\n",
		},
		"ItIsStuckAndThereIsNoWayBack": {
			states: []func(*v1alpha1.ClusterStatus){upgrading, condition(func(s *v1alpha1.ClusterStatus) { s.Phase, s.Committed = v1alpha1.ClusterDegraded, "1.37.1-1" },
				v1alpha1.ConditionSpecAccepted, metav1.ConditionFalse, v1alpha1.ReasonRolloutStuck, "the next one has not become ready")},
			errOut: progress,
			problem: "Error: cluster \"demo\" is in phase Degraded: the next one has not become ready\n" +
				"What to do: correct the cause, and it goes on by itself; " + done + "\n",
		},
		"ItIsCancelled": {
			states: []func(*v1alpha1.ClusterStatus){upgrading, phase(v1alpha1.ClusterDegraded, "stopped as asked")},
			errOut: progress,
			problem: "Error: cluster \"demo\" is in phase Degraded: stopped as asked\n" +
				"What to do: " + done + ", and 'marina operation retry' on what was stopped goes on with it" + goBack + "\n",
		},
		"SomebodyGoesBack": {
			states:  []func(*v1alpha1.ClusterStatus){upgrading},
			asked:   "1.36.4-1",
			errOut:  progress,
			problem: "Error: cluster \"demo\" will not be upgraded to 1.37.1-1: spec.version is 1.36.4-1 now\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t, "1.36.4-1", "")
			out, errOut, err := p.run(t, p, []clitest.Change{func(c client.Client) error {
				if err := p.reports(t, tc.states...)(c); err != nil || tc.asked == "" {
					return err
				}
				return p.asks(t, tc.asked)(c)
			}}, "upgrade", "demo", "1.37.1-1", "--wait", "--timeout=1m")
			problem := strings.ReplaceAll(clitest.Explained(err), p.namespace, "NAMESPACE")
			if diff := cmp.Diff(tc.problem, problem); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff("cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1\n"+tc.out, clitest.WithoutTimes(out)); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.errOut, clitest.WithoutTimes(errOut)); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}
