package kubernetes

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

// abandonAfter is how long somebody has to bring a volume back. It is counted from when
// its pod has ceased to be ready.
const abandonAfter = 10 * time.Minute

// abandonVolumes deletes claims whose volume will not come back, with their pods, for
// replicas that may begin with nothing. The StatefulSet makes both anew.
func (h *Host) abandonVolumes(ctx context.Context, c component.Component) error {
	for _, ordinal := range c.Expendable {
		claim, pod := &corev1.PersistentVolumeClaim{}, &corev1.Pod{}
		for name, o := range map[string]client.Object{claimOf(c.Name, ordinal): claim, replicaOf(c.Name, ordinal): pod} {
			// What is deleted here is gone for good: a cache is not asked.
			if err := h.live.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, o); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
		if claim.UID == "" || pod.UID == "" || pod.DeletionTimestamp != nil {
			continue
		}
		gone := false
		if claim.Status.Phase == corev1.ClaimBound && elsewhere(pod) {
			var err error
			if gone, err = h.nodeGone(ctx, claim); err != nil {
				return err
			}
		}
		why, after := hopeless(claim, pod, gone, h.now())
		if after > 0 {
			time.AfterFunc(after, func() { h.notify(c.Namespace, c.Name) })
		}
		if why == "" || after > 0 {
			continue
		}
		h.log.Info("Giving up a volume", "namespace", claim.Namespace, "claim", claim.Name, "volume", claim.Spec.VolumeName, "why", why)
		err := h.client.Delete(ctx, claim, client.Preconditions{UID: &claim.UID, ResourceVersion: &claim.ResourceVersion})
		if apierrors.IsConflict(err) {
			// It is not any more what was looked at.
			continue
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		// The claim is there for as long as the pod is.
		err = h.client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

// hopeless tells why the volume of a claim will not come back, and how long to wait yet
// before that is believed; nothing for a volume that may.
func hopeless(claim *corev1.PersistentVolumeClaim, pod *corev1.Pod, nodeGone bool, now time.Time) (why string, after time.Duration) {
	switch {
	case ready(pod):
		return "", 0
	case claim.DeletionTimestamp != nil:
		why = "its claim is being deleted"
	case claim.Status.Phase == corev1.ClaimLost:
		why = "its PersistentVolume is gone"
	case claim.Status.Phase == corev1.ClaimBound && nodeGone:
		why = "it is on a node that is gone"
	default:
		return "", 0
	}
	return why, max(0, notReadySince(pod).Add(abandonAfter).Sub(now))
}

// elsewhere reports whether a pod has no place because its volume is where no node is.
func elsewhere(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		// The words are the scheduler's, those of older versions first.
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse &&
			(strings.Contains(c.Message, "volume node affinity conflict") || strings.Contains(c.Message, "PersistentVolume's node affinity"))
	})
}

// nodeGone reports whether the volume of a claim can be reached from no machine that there
// is, and never from another one.
func (h *Host) nodeGone(ctx context.Context, claim *corev1.PersistentVolumeClaim) (bool, error) {
	volume := &corev1.PersistentVolume{}
	if err := h.live.Get(ctx, client.ObjectKey{Name: claim.Spec.VolumeName}, volume); err != nil {
		// One that is not there makes the claim Lost.
		return false, client.IgnoreNotFound(err)
	}
	nodes := &corev1.NodeList{}
	if err := h.live.List(ctx, nodes); err != nil {
		return false, err
	}
	return onlyOnLost(volume, nodes.Items), nil
}

// onlyOnLost reports whether a volume is on the disk of machines none of which is a node
// any more. One that is bound to a zone is not: the next node there has it again.
func onlyOnLost(volume *corev1.PersistentVolume, nodes []corev1.Node) bool {
	affinity := volume.Spec.NodeAffinity
	if affinity == nil || affinity.Required == nil || len(affinity.Required.NodeSelectorTerms) == 0 {
		return false
	}
	lost := func(r corev1.NodeSelectorRequirement) bool {
		return r.Key == corev1.LabelHostname && r.Operator == corev1.NodeSelectorOpIn &&
			!slices.ContainsFunc(nodes, func(n corev1.Node) bool {
				return slices.Contains(r.Values, n.Labels[corev1.LabelHostname]) || slices.Contains(r.Values, n.Name)
			})
	}
	// A node has to meet one of the terms, and all of what that asks for.
	return !slices.ContainsFunc(affinity.Required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		return !slices.ContainsFunc(t.MatchExpressions, lost)
	})
}
