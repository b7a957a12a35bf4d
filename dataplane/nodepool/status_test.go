package nodepool

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What a Machine said before is not what its deletion waits for.
func TestSaid(t *testing.T) {
	now := metav1.Now()
	deleting := []metav1.Condition{{Type: v1alpha1.ConditionDeleting}}
	status := func(s v1alpha1.MachineStatus) v1alpha1.MachineStatus {
		s.Message = "of the server"
		return s
	}
	for name, test := range map[string]struct {
		deleted    *metav1.Time
		finalizers []string
		status     v1alpha1.MachineStatus
		want       string
	}{
		"Lives":            {finalizers: []string{v1alpha1.MachineFinalizer, v1alpha1.NodeFinalizer}, want: "of the server"},
		"JustDeleted":      {deleted: &now, finalizers: []string{v1alpha1.MachineFinalizer, v1alpha1.NodeFinalizer}},
		"BeingDeleted":     {deleted: &now, finalizers: []string{v1alpha1.MachineFinalizer, v1alpha1.NodeFinalizer}, status: v1alpha1.MachineStatus{Conditions: deleting}, want: "of the server"},
		"OnlyTheNodeWaits": {deleted: &now, finalizers: []string{v1alpha1.NodeFinalizer}, status: v1alpha1.MachineStatus{Conditions: deleting, Node: &v1alpha1.MachineNode{DrainMessage: "of the node"}}, want: "of the node"},
		"NeverHadANode":    {deleted: &now, finalizers: []string{v1alpha1.NodeFinalizer}, status: v1alpha1.MachineStatus{Conditions: deleting}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: test.deleted, Finalizers: test.finalizers}, Status: status(test.status)}
			if got := said(m); got != test.want {
				t.Errorf("said %q, want %q", got, test.want)
			}
		})
	}
}
