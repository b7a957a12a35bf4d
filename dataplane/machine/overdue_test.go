package machine

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// The time to become a node does not run while there is no control plane to join, and begins
// again when it is back.
func TestControlPlaneAway(t *testing.T) {
	w := newWorld(t)
	w.noJoin = true
	ref := w.network.Spec.ClusterRef
	cluster := &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name},
		Spec: v1alpha1.ClusterSpec{
			Version: "1.37.1-1", InfrastructureRef: &v1alpha1.LocalReference{Name: w.infra.Name}, CredentialsRef: &v1alpha1.LocalReference{Name: "mine"},
		},
	}
	w.must(t, management.Client.Create(t.Context(), cluster))
	plane := func(status metav1.ConditionStatus) {
		t.Helper()
		cluster.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionControlPlaneReady, Status: status, Reason: "Test", LastTransitionTime: metav1.NewTime(w.clock.Now()),
		}}
		w.must(t, management.Client.Status().Update(t.Context(), cluster))
	}
	plane(metav1.ConditionTrue)
	m := w.machine(t, func(m *v1alpha1.Machine) { m.Spec.ClusterRef.UID = cluster.UID })
	w.rounds(t, 10*time.Minute, time.Minute)
	id := m.Status.ServerID
	stays := func(when string) {
		t.Helper()
		if m.Status.ServerID != id || m.Status.Failures > 0 || m.Status.State != v1alpha1.MachineInstalling {
			t.Fatalf("%s it is %s with the server %s, after %d failures: want %s to stay", when, m.Status.State, m.Status.ServerID, m.Status.Failures, id)
		}
	}
	plane(metav1.ConditionFalse)
	w.rounds(t, 50*time.Minute, time.Minute)
	stays("while the control plane is away")
	plane(metav1.ConditionTrue)
	w.rounds(t, 28*time.Minute, time.Minute)
	stays("when it has been back for 28 minutes")
	w.rounds(t, 3*time.Minute, time.Minute)
	w.is(t, m, "ServerReady", "False", "CreationTimeout", "has not become a Ready node within 30m0s")
	w.noJoin = false
	w.ready(t)
	w.dismissed(t)
}
