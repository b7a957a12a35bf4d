package nodepool

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// gate is why the nodes of a Cluster stay as they are now; nil if they need not. Nodes are made,
// replaced and removed where the control plane changes nothing and serves: what cannot be asked
// cannot let pods go in peace, and no node joins it.
func gate(cluster *v1alpha1.Cluster) error {
	if err := upgrading(cluster); err != nil {
		return err
	}
	if cluster.Status.Version == "" {
		return nil // there are none yet
	}
	for _, t := range []string{v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionEtcdReady} {
		if c := meta.FindStatusCondition(cluster.Status.Conditions, t); c != nil && c.Status != metav1.ConditionTrue {
			return reconcile.Wait("ControlPlaneNotReady", "the control plane of cluster %s does not serve, and until it does no node is made, replaced or removed: %s", cluster.Name, c.Message)
		}
	}
	return nil
}

// upgrading is why the nodes of a Cluster stay as they are now: its control plane goes to
// another version, or back. Nil if it does not, or has come to rest half-way: that may last, and
// nodes of the version before suit both.
//
// It goes by what has been taken up and not by the phase alone: one that is stuck is Degraded,
// and one that waits for pools before it begins is Upgrading. Pools hold for what has begun, and
// an upgrade waits for pools before it begins, so that neither waits for ever.
func upgrading(cluster *v1alpha1.Cluster) error {
	status := cluster.Status
	taken := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSpecAccepted)
	between := status.Version != "" && status.Accepted != nil && status.Accepted.Version != status.Version
	back := status.Phase == v1alpha1.ClusterUpgrading && taken != nil && taken.Status == "True"
	if !between && !back || rests(cluster) || taken != nil && taken.Reason == v1alpha1.ReasonNodePoolBusy {
		return nil
	}
	return reconcile.Wait("ControlPlaneUpgrading", "the control plane of cluster %s changes its version, and until that has ended no node is made, replaced or removed: 'kubectl -n %s describe cluster %s' tells how far it is",
		cluster.Name, cluster.Namespace, cluster.Name)
}

// rests reports whether a change of a control plane's version goes no further before a person, or
// the platform, does something: a replica does not become ready, or it was cancelled half-way and
// has come to where it can stay.
func rests(cluster *v1alpha1.Cluster) bool {
	because := func(conditionType, reason string) bool {
		c := meta.FindStatusCondition(cluster.Status.Conditions, conditionType)
		return c != nil && c.Status == metav1.ConditionFalse && c.Reason == reason
	}
	return cluster.Status.Phase == v1alpha1.ClusterDegraded &&
		(because(v1alpha1.ConditionSpecAccepted, v1alpha1.ReasonRolloutStuck) || // which something else may be the reason of, too
			because(v1alpha1.ConditionUpToDate, v1alpha1.ReasonRolloutStuck) || because(v1alpha1.ConditionUpToDate, v1alpha1.ReasonPaused))
}

// changesNodes reports whether there is anything to be done to the nodes, and they need not stay.
func (s *scope) changesNodes() bool {
	if s.cluster == nil || s.cluster.Status.Namespace == "" || s.cluster.DeletionTimestamp != nil || s.gate != nil {
		return false
	}
	return !plan(s.wish(), s.machines).none()
}

// waits is what a pool waits for that is not as asked and could be; nil if for nothing.
func (s *scope) waits(f facts) error {
	if f.settled() {
		return nil
	}
	return s.gate
}
