package cluster

import (
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
	// Refused: a person has to change the spec or what it names.
	Refused bool
	// HasControlPlane: there is a HostedControlPlane.
	HasControlPlane bool
	// BeenReady: it has been ready before, so that there is something to lose.
	BeenReady bool
	// Ready: it serves now, and a node could join.
	Ready bool
	// Changing: it does not run the version yet that the spec asks for.
	Changing bool
}

// phase is derived from facts alone, never from the phase before: a restart at any
// point finds the same one.
func phase(f facts) v1alpha1.ClusterPhase {
	switch {
	case f.Deleting:
		return v1alpha1.ClusterDeleting
	case f.BeenReady && (f.Refused || !f.Ready):
		return v1alpha1.ClusterDegraded
	case f.BeenReady && f.Changing:
		return v1alpha1.ClusterUpgrading
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
var mirrored = []string{v1alpha1.ConditionEtcdReady, v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionAddonsReady, v1alpha1.ConditionAvailable}

// writeStatus computes the status from what was observed; err is what the steps
// came to. A change of phase is an Event.
func (r *Reconciler) writeStatus(s *scope, before *v1alpha1.Cluster, err error) {
	cluster, status := s.cluster, &s.cluster.Status
	generation := cluster.Generation
	status.ObservedGeneration = generation

	refused := userError(err)
	ready := err
	if ready == nil {
		ready = reconcile.Wait("Creating", "the control plane is being created")
	}
	if hcp := s.hcp; hcp != nil {
		for _, t := range mirrored {
			if c := meta.FindStatusCondition(hcp.Status.Conditions, t); c != nil {
				mirror := *c
				mirror.ObservedGeneration = generation
				meta.SetStatusCondition(&status.Conditions, mirror)
			}
		}
		if c := meta.FindStatusCondition(hcp.Status.Conditions, v1alpha1.ConditionSpecAccepted); refused == nil && c != nil && c.Status == metav1.ConditionFalse {
			refused = reconcile.UserError(c.Reason, "%s", c.Message)
		}
		// One that serves goes on serving while a spec is refused.
		ready = controlPlaneError(hcp)
		status.Endpoint, status.Version = hcp.Status.Endpoint, hcp.Status.Version
	}
	deleting := cluster.DeletionTimestamp != nil
	if !deleting {
		reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionSpecAccepted, generation, refused, "the spec has been taken up")
	} else {
		reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionDeleting, generation, err, "")
	}
	reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionReady, generation, ready, "the control plane serves and nodes can join")
	if ready == nil && status.ReadySince == nil {
		now := metav1.NewTime(r.Now())
		status.ReadySince = &now
	}
	status.Phase = phase(facts{
		Deleting:        deleting,
		Refused:         refused != nil,
		HasControlPlane: s.hcp != nil,
		BeenReady:       status.ReadySince != nil,
		Ready:           ready == nil,
		Changing:        status.Version != cluster.Spec.Version,
	})
	status.Message = message(status.Phase, refused, status.Conditions, s.hcp)
	if status.Phase != before.Status.Phase {
		r.phaseEvent(cluster)
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
func message(phase v1alpha1.ClusterPhase, refused error, conditions []metav1.Condition, hcp *v1alpha1.HostedControlPlane) string {
	if phase == v1alpha1.ClusterUpgrading && hcp != nil {
		if c := meta.FindStatusCondition(hcp.Status.Conditions, v1alpha1.ConditionUpToDate); c != nil && c.Status != metav1.ConditionTrue {
			return c.Message
		}
		return "the change of version is about to begin"
	}
	about := v1alpha1.ConditionReady
	switch {
	case phase == v1alpha1.ClusterDeleting:
		about = v1alpha1.ConditionDeleting
	case refused != nil:
		return reconcile.As(refused).Message
	}
	if c := meta.FindStatusCondition(conditions, about); c != nil {
		return c.Message
	}
	return ""
}

// phaseEvent tells people what happened and why, beside the object.
func (r *Reconciler) phaseEvent(cluster *v1alpha1.Cluster) {
	kind := corev1.EventTypeNormal
	if cluster.Status.Phase == v1alpha1.ClusterDegraded || cluster.Status.Phase == v1alpha1.ClusterError {
		kind = corev1.EventTypeWarning
	}
	r.events.Eventf(cluster, nil, kind, string(cluster.Status.Phase), "Reconcile", "%s", cluster.Status.Message)
}
