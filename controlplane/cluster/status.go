package cluster

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// facts are what a phase is derived from.
type facts struct {
	// Deleting: the Cluster has been deleted.
	Deleting bool
	// Refused: a person has to change the spec, what it names, or what a network lacks.
	Refused bool
	// HasControlPlane: there is a HostedControlPlane.
	HasControlPlane bool
	// BeenReady: it has been ready before, so that there is something to lose.
	BeenReady bool
	// Ready: it serves now, and a node could join.
	Ready bool
	// Changing: it does not run the version yet that the spec asks for.
	Changing bool
	// Stopped: that change has been cancelled halfway.
	Stopped bool
	// Operating: an Operation runs that neither creates nor upgrades it.
	Operating bool
}

// phase is derived from facts alone, never from the phase before: a restart at any
// point finds the same one.
func phase(f facts) v1alpha1.ClusterPhase {
	switch {
	case f.Deleting:
		return v1alpha1.ClusterDeleting
	case f.BeenReady && (f.Refused || f.Stopped || !f.Ready):
		return v1alpha1.ClusterDegraded
	case f.BeenReady && f.Changing:
		return v1alpha1.ClusterUpgrading
	case f.BeenReady && f.Operating:
		return v1alpha1.ClusterUpdating
	case f.BeenReady:
		return v1alpha1.ClusterActive
	case f.Refused && f.HasControlPlane:
		return v1alpha1.ClusterError
	case f.HasControlPlane:
		return v1alpha1.ClusterCreating
	default:
		return v1alpha1.ClusterPending
	}
}

// mirrored are the conditions of a control plane that its Cluster shows.
var mirrored = []string{
	v1alpha1.ConditionEtcdReady, v1alpha1.ConditionCertificatesValid, v1alpha1.ConditionControlPlaneReady,
	v1alpha1.ConditionAddonsReady, v1alpha1.ConditionKonnectivityReady, v1alpha1.ConditionAvailable, v1alpha1.ConditionUpToDate,
}

// writeStatus computes the status from what was observed; err is what the steps
// came to. A change of phase is an Event.
func (r *Reconciler) writeStatus(s *scope, before *v1alpha1.Cluster, err error) {
	cluster, status := s.cluster, &s.cluster.Status
	generation := cluster.Generation
	status.ObservedGeneration = generation

	ready := cmp.Or(s.refused, err, s.situation(time.Time{}).awaitsPool())
	if ready == nil {
		ready = reconcile.Wait("Creating", "the control plane is being created")
	}
	if hcp := s.hcp; hcp != nil {
		for _, t := range mirrored {
			c := meta.FindStatusCondition(hcp.Status.Conditions, t)
			if c == nil {
				meta.RemoveStatusCondition(&status.Conditions, t)
				continue
			}
			mirror := *c
			mirror.ObservedGeneration = generation
			meta.SetStatusCondition(&status.Conditions, mirror)
		}
		// One that serves goes on serving while a spec is refused.
		ready = controlPlaneError(hcp)
		status.Endpoint, status.Version, status.Committed = hcp.Status.Endpoint, hcp.Status.Version, hcp.Status.Committed
	}
	ready = s.withNetwork(ready)
	s.showPools()
	deleting := cluster.DeletionTimestamp != nil
	if !deleting {
		meta.SetStatusCondition(&status.Conditions, s.specAccepted(err))
	} else {
		reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionDeleting, generation, err, "")
	}
	reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionReady, generation, ready, "the control plane serves and nodes can join")
	if ready == nil && status.ReadySince == nil {
		now := metav1.NewTime(r.Now())
		status.ReadySince = &now
	}
	status.Operation = ""
	if s.running != nil {
		status.Operation = s.running.Name
	}
	status.Phase = phase(s.facts(ready == nil))
	status.Message = s.message(status.Phase)
	if status.Phase != before.Status.Phase {
		r.phaseEvent(cluster)
	}
}

// specAccepted tells whether the spec has been taken up. What may pass by itself is no
// refusal.
func (s *scope) specAccepted(err error) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionSpecAccepted, ObservedGeneration: s.cluster.Generation}
	switch {
	case s.refused != nil:
		e := reconcile.As(s.refused)
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, e.Reason, e.Message
	case err != nil:
		e := reconcile.As(err)
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, e.Reason, e.Message
	case s.waits != nil:
		e := reconcile.As(s.waits)
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, e.Reason, e.Message
	case s.situation(time.Time{}).neverBegun():
		c.Status, c.Reason = metav1.ConditionUnknown, "Cancelled"
		c.Message = fmt.Sprintf("the change to %s was cancelled before it began: 'marina operation retry' on it begins it, spec.version %s gives it up", s.cluster.Spec.Version, s.cluster.Status.Version)
	case s.held():
		c.Status, c.Reason = metav1.ConditionUnknown, "Waiting"
		c.Message = fmt.Sprintf("the change of the spec is taken up when operation %s (%s) has ended", s.running.Name, s.running.Spec.Type)
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "AsExpected", "the spec has been taken up"
	}
	return c
}

// facts are those of a pass; ready is whether the control plane serves.
func (s *scope) facts(ready bool) facts {
	at, running := s.situation(time.Time{}), s.running
	return facts{
		Deleting:        s.cluster.DeletionTimestamp != nil,
		Refused:         s.refused != nil || networkFailed(s.network),
		HasControlPlane: s.hcp != nil,
		BeenReady:       s.cluster.Status.ReadySince != nil,
		Ready:           ready,
		Changing:        at.changesVersion() || running != nil && running.Spec.Type == v1alpha1.OperationUpgrade || s.cluster.Status.Version != s.cluster.Spec.Version,
		Stopped:         at.stopped() && (running == nil || running.Spec.Type != v1alpha1.OperationUpgrade),
		Operating: running != nil && running.Spec.Type != v1alpha1.OperationCreate &&
			running.Spec.Type != v1alpha1.OperationUpgrade,
	}
}

// controlPlaneError is why a control plane is not ready, nil when it is.
func controlPlaneError(hcp *v1alpha1.HostedControlPlane) error {
	switch c := meta.FindStatusCondition(hcp.Status.Conditions, v1alpha1.ConditionReady); {
	case c == nil:
		return reconcile.Wait("Creating", "the control plane is being created")
	case c.Status == metav1.ConditionTrue:
		return nil
	default:
		return reconcile.Wait(c.Reason, "%s", c.Message)
	}
}

func userError(err error) error {
	if e := reconcile.As(err); e != nil && e.Kind == reconcile.KindUser {
		return e
	}
	return nil
}

// message is the sentence that tells most about a phase.
func (s *scope) message(phase v1alpha1.ClusterPhase) string {
	condition := func(conditions []metav1.Condition, conditionType string) string {
		if c := meta.FindStatusCondition(conditions, conditionType); c != nil && (c.Status != metav1.ConditionTrue || conditionType == v1alpha1.ConditionReady) {
			return c.Message
		}
		return ""
	}
	conditions := s.cluster.Status.Conditions
	switch {
	case phase == v1alpha1.ClusterDeleting:
		return condition(conditions, v1alpha1.ConditionDeleting)
	case s.refused != nil:
		return reconcile.As(s.refused).Message
	case phase == v1alpha1.ClusterUpgrading && s.waits != nil:
		return reconcile.As(s.waits).Message
	case phase == v1alpha1.ClusterUpgrading:
		return cmp.Or(condition(s.hcp.Status.Conditions, v1alpha1.ConditionUpToDate), "the change of version is about to begin")
	case phase == v1alpha1.ClusterUpdating:
		return fmt.Sprintf("operation %s (%s) runs", s.running.Name, s.running.Spec.Type)
	case phase == v1alpha1.ClusterDegraded && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		return cmp.Or(condition(conditions, v1alpha1.ConditionUpToDate), condition(conditions, v1alpha1.ConditionSpecAccepted))
	}
	return condition(conditions, v1alpha1.ConditionReady)
}

// phaseEvent tells people what happened and why, beside the object.
func (r *Reconciler) phaseEvent(cluster *v1alpha1.Cluster) {
	kind := corev1.EventTypeNormal
	if cluster.Status.Phase == v1alpha1.ClusterDegraded || cluster.Status.Phase == v1alpha1.ClusterError {
		kind = corev1.EventTypeWarning
	}
	r.events.Eventf(cluster, nil, kind, string(cluster.Status.Phase), "Reconcile", "%s", cluster.Status.Message)
}
