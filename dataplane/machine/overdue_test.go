package machine

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// slow is a Machine whose server does not become a node, in a Cluster whose control plane is there
// or not.
type slow struct {
	*world
	cluster *v1alpha1.Cluster
	m       *v1alpha1.Machine
	id      string
}

func newSlow(t *testing.T) *slow {
	w := &slow{world: newWorld(t)}
	w.noJoin = true
	ref := w.network.Spec.ClusterRef
	w.cluster = &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name},
		Spec: v1alpha1.ClusterSpec{
			Version: "1.37.1-1", InfrastructureRef: &v1alpha1.LocalReference{Name: w.infra.Name}, CredentialsRef: &v1alpha1.LocalReference{Name: "mine"},
		},
	}
	w.must(t, management.Client.Create(t.Context(), w.cluster))
	w.plane(t, metav1.ConditionTrue)
	w.m = w.machine(t, func(m *v1alpha1.Machine) { m.Spec.ClusterRef.UID = w.cluster.UID })
	w.rounds(t, 10*time.Minute, time.Minute)
	w.id = w.m.Status.ServerID
	return w
}

func (w *slow) plane(t *testing.T, status metav1.ConditionStatus) {
	t.Helper()
	w.cluster.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionControlPlaneReady, Status: status, Reason: "Test", LastTransitionTime: metav1.NewTime(w.clock.Now()),
	}}
	w.must(t, management.Client.Status().Update(t.Context(), w.cluster))
}

func (w *slow) stays(t *testing.T, when string) {
	t.Helper()
	if m := w.m; m.Status.ServerID != w.id || m.Status.Failures > 0 || m.Status.State != v1alpha1.MachineInstalling {
		t.Fatalf("%s it is %s with the server %s, after %d failures: want %s to stay", when, m.Status.State, m.Status.ServerID, m.Status.Failures, w.id)
	}
}

// The time to become a node does not run while there is no control plane to join, and begins
// again when it is back.
func TestControlPlaneAway(t *testing.T) {
	w := newSlow(t)
	w.plane(t, metav1.ConditionFalse)
	w.rounds(t, 50*time.Minute, time.Minute)
	w.stays(t, "while the control plane is away")
	w.plane(t, metav1.ConditionTrue)
	w.rounds(t, 28*time.Minute, time.Minute)
	w.stays(t, "when it has been back for 28 minutes")
	w.rounds(t, 4*time.Minute, time.Minute)
	w.is(t, w.m, "ServerReady", "False", "CreationTimeout", "has not become a Ready node within 30m0s")
	w.noJoin = false
	w.ready(t)
	w.dismissed(t)
}

// A node that may well be Ready is not given up because its tenant is out of reach from here, nor
// for what that has told earlier.
func TestRule23CreationTimeoutOfATenantOutOfReach(t *testing.T) {
	w := newSlow(t)
	w.plane(t, metav1.ConditionFalse)
	w.rounds(t, 30*time.Minute, time.Minute)
	if w.m.Status.Node == nil || w.m.Status.Node.Missed == nil {
		t.Fatal("it was not missed: this shows nothing")
	}
	w.plane(t, metav1.ConditionTrue)
	w.unheard = true
	w.rounds(t, 2*time.Hour, time.Minute)
	w.stays(t, "while the tenant is out of reach")
	w.noJoin, w.unheard = false, false
	w.ready(t)
	if s := w.m.Status; s.ServerID != w.id || s.Failures > 0 {
		t.Errorf("the node is that of the server %s, after %d failures: want that of %s, which was Ready", s.ServerID, s.Failures, w.id)
	}
}

func TestRule23CreationTimeoutWhenTheTenantAnswersAgain(t *testing.T) {
	w := newSlow(t)
	w.unheard = true
	w.clock.Step(25 * time.Minute) // nobody looks at it here
	w.tell(t, w.m, v1alpha1.MachineNode{Missed: &metav1.Time{Time: w.clock.Now()}})
	w.clock.Step(answerLife + time.Minute)
	w.rounds(t, time.Hour, time.Minute)
	w.stays(t, "while the tenant is out of reach")
	w.is(t, w.m, "Ready", "Unknown", "WaitingForNode", "it is given up when the cluster's API server is there and tells so")
	w.tell(t, w.m, v1alpha1.MachineNode{Missed: &metav1.Time{Time: w.clock.Now().Add(time.Hour)}})
	w.rounds(t, 50*time.Minute, time.Minute)
	w.stays(t, "after the word of a clock that was ahead")
	w.unheard = false
	w.rounds(t, 2*time.Minute, time.Minute)
	w.is(t, w.m, "ServerReady", "False", "CreationTimeout", "has not become a Ready node within 30m0s")
}
