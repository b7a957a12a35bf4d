package clusters

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// cluster is a cluster in a phase, with a Ready condition that says message.
func cluster(name string, phase v1alpha1.ClusterPhase, ready metav1.ConditionStatus, message string) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Generation: 1},
		Spec:       v1alpha1.ClusterSpec{Version: "1.37.1-1"},
		Status: v1alpha1.ClusterStatus{
			Phase:              phase,
			ObservedGeneration: 1,
			Conditions: []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: ready, Reason: "Because", Message: message, ObservedGeneration: 1,
			}},
		},
	}
}

func published(name string) client.Object {
	return &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// becomes changes the status of a cluster to those of states, one after the other.
func becomes(t testing.TB, states ...*v1alpha1.Cluster) clitest.Change {
	return func(c client.Client) error {
		for _, state := range states {
			live := &v1alpha1.Cluster{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(state), live); err != nil {
				return err
			}
			live.Status = state.Status
			if err := c.Status().Update(t.Context(), live); err != nil {
				return err
			}
		}
		return nil
	}
}

// run runs a command line of 'marina cluster' and returns what it wrote.
func run(t testing.TB, ctx context.Context, a client.WithWatch, args ...string) (out, errOut string, err error) {
	t.Helper()
	return clitest.Run(t, ctx, a, Commands, args...)
}
