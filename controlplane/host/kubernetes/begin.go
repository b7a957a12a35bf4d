package kubernetes

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

// replicasFor is how many replicas the Deployment of a Component is to have now: one
// until it is ready, or has had its time to become so, and then all. None that runs is
// ever stopped for that.
func (h *Host) replicasFor(ctx context.Context, c component.Component) (int, error) {
	if c.Start != component.StartOrdered || c.Replicas <= 1 {
		return c.Replicas, nil
	}
	key, d := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}, &appsv1.Deployment{}
	err := h.client.Get(ctx, key, d)
	if apierrors.IsNotFound(err) {
		// The cache may be late, and two of three that serve would be stopped.
		err = h.live.Get(ctx, key, d)
	}
	if client.IgnoreNotFound(err) != nil {
		return 0, err
	}
	pods := &corev1.PodList{}
	if err := h.client.List(ctx, pods, client.InNamespace(c.Namespace), client.MatchingLabels(selectorOf(c.Name))); err != nil {
		return 0, err
	}
	if apierrors.IsNotFound(err) && len(pods.Items) > 0 {
		// Somebody has deleted it alone: it takes over the pods that it finds.
		return c.Replicas, nil
	}
	switch stageOf(d) {
	case stageFirst:
		h.growth.begin(key)
		return 1, nil
	case stageNext:
		// What has no node takes nobody's CPU, and the scheduler sees to it that it does
		// not get too little: it takes no place from others.
		if !unscheduled(pods.Items) && !h.growth.ask(key) {
			return 1, nil
		}
	case stageAll:
		h.growth.grows(key)
	}
	return c.Replicas, nil
}

// unscheduled reports whether there are pods, and none of them has a node.
func unscheduled(pods []corev1.Pod) bool {
	return len(pods) > 0 && !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Spec.NodeName != "" || ready(&p) })
}

// stage is how far the start of a Deployment is.
type stage int

const (
	// stageFirst waits for the first replica.
	stageFirst stage = iota
	// stageNext is when the others may start.
	stageNext
	// stageAll is when they have been asked for.
	stageAll
)

func stageOf(d *appsv1.Deployment) stage {
	switch {
	case d.Spec.Replicas != nil && *d.Spec.Replicas > 1:
		return stageAll
	case d.Status.ReadyReplicas > 0 || slices.ContainsFunc(d.Status.Conditions, hadItsTime):
		return stageNext
	default:
		return stageFirst
	}
}

// hadItsTime reports whether a condition tells of a first replica that is not to be waited
// for: it has not become ready within holdBack; or it was ready once, after which nothing
// says any more that it takes too long; or somebody has paused it.
func hadItsTime(c appsv1.DeploymentCondition) bool {
	return c.Type == appsv1.DeploymentProgressing &&
		(c.Status == corev1.ConditionFalse || c.Reason == "NewReplicaSetAvailable" || c.Reason == "DeploymentPaused")
}
