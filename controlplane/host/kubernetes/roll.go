package kubernetes

import (
	"context"
	"math"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

// patienceKeptOut is how long one that was replaced may take to begin before those that
// turn others away are held to be the cause. It is much longer than that takes with a large
// store: what they still serve, by connections from before, is interrupted.
const patienceKeptOut = 10 * time.Minute

// patience is how long a pod that runs may be not ready while another one is not either.
// An election takes the members of etcd out of service for a moment: who replaced one
// then would take the majority down.
const patience = time.Minute

// replacePod deletes the next pod of a StatefulSet that does not run what was applied.
// What it decides by is in the API alone, so that a Host that is started again goes on.
func (h *Host) replacePod(ctx context.Context, c component.Component, template string) error {
	selects := []client.ListOption{client.InNamespace(c.Namespace), client.MatchingLabels(selectorOf(c.Name))}
	pods := &corev1.PodList{}
	if err := h.client.List(ctx, pods, selects...); err != nil {
		return err
	}
	next, after := nextPod(pods.Items, c, template, h.now())
	if after > 0 {
		time.AfterFunc(after, func() { h.notify(c.Namespace, c.Name) })
	}
	if next == nil {
		return nil
	}
	// A cache may not have seen yet that another one is not ready any more, and what is
	// deleted now must come back as what was applied.
	set := &appsv1.StatefulSet{}
	if err := h.live.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: c.Name}, set); err != nil {
		return client.IgnoreNotFound(err)
	}
	if set.Status.ObservedGeneration < set.Generation || set.Spec.Template.Annotations[AnnotationTemplate] != template {
		return nil
	}
	pods = &corev1.PodList{}
	if err := h.live.List(ctx, pods, selects...); err != nil {
		return err
	}
	if next, _ = nextPod(pods.Items, c, template, h.now()); next == nil {
		return nil
	}
	h.log.Info("Replacing a pod", "namespace", next.Namespace, "pod", next.Name, "ready", ready(next))
	err := h.client.Delete(ctx, next, client.Preconditions{UID: &next.UID})
	if apierrors.IsConflict(err) {
		// It is another pod by now.
		return nil
	}
	return client.IgnoreNotFound(err)
}

// nextPod is the pod to be replaced now, nil for none, and after which time that may
// change by itself; zero for never.
//
// First are those that do not serve: by replacing one nothing is lost, and what is
// applied may help it. Then, one by one while all serve, the others: those that the
// kubelet does not find ready first, then from the last to the first, but those that are
// to be last only when no other is left.
//
// One that serves goes while another one does not only if it is in the way of that, for
// which it would wait for ever.
//
// The kubelet's word is not enough where the Component says who serves: it is 40 s old
// when a machine has died, and turns into No for a pod that serves on a machine which
// only Kubernetes has lost.
func nextPod(pods []corev1.Pod, c component.Component, template string, now time.Time) (next *corev1.Pod, after time.Duration) {
	byOrdinal := make([]*corev1.Pod, c.Replicas)
	for i := range pods {
		if ordinal, ok := ordinalOf(c.Name, pods[i].Name); ok && ordinal < c.Replicas {
			byOrdinal[ordinal] = &pods[i]
		}
	}
	serves := func(ordinal int) bool {
		p := byOrdinal[ordinal]
		if p == nil || p.DeletionTimestamp != nil {
			return false
		}
		if says, ok := c.Serves[ordinal]; ok {
			// It was asked a while ago: the pod of today may be another one, which starts.
			return says && started(p, c.Main.Name)
		}
		return ready(p)
	}
	serving := 0
	for ordinal := range byOrdinal {
		if serves(ordinal) {
			serving++
		}
	}
	nextOrdinal := 0
	keptOut := time.Duration(0) // how long all who do not serve are to be kept out yet
	for ordinal, p := range byOrdinal {
		if !serves(ordinal) {
			keptOut = max(keptOut, untilKeptOut(p, c, ordinal, template, now))
		}
		if p == nil || p.DeletionTimestamp != nil || p.Annotations[AnnotationTemplate] == template {
			continue
		}
		switch {
		case serves(ordinal):
			if next == nil || ready(next) && !ready(p) || ready(next) == ready(p) && before(ordinal, nextOrdinal, c.RollLast) {
				next, nextOrdinal = p, ordinal
			}
		case serving == c.Replicas-1:
			return p, 0
		case !ready(p):
			due := notReadySince(p).Add(patience).Sub(now)
			if !started(p, c.Main.Name) || due <= 0 {
				return p, 0
			}
			after = max(after, due)
		}
	}
	switch {
	case serving == c.Replicas:
		return next, 0
	case next == nil || !slices.Contains(c.Refusing, nextOrdinal) || keptOut == never:
		return nil, after
	case keptOut > 0:
		return nil, max(after, keptOut)
	}
	return next, 0
}

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// untilKeptOut is when a pod that does not serve has been kept out by others for so long
// that they are to be replaced too: it runs what is applied, and has never been ready.
func untilKeptOut(p *corev1.Pod, c component.Component, ordinal int, template string, now time.Time) time.Duration {
	if says, ok := c.Serves[ordinal]; !ok || says || p == nil || p.DeletionTimestamp != nil || p.Annotations[AnnotationTemplate] != template {
		return never
	}
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == c.Main.Name && s.State.Running != nil && !ptrTrue(s.Started) {
			return max(0, s.State.Running.StartedAt.Add(patienceKeptOut).Sub(now))
		}
	}
	return never
}

// before reports whether one replica is to be replaced before another.
func before(a, b int, last []int) bool {
	if aLast, bLast := slices.Contains(last, a), slices.Contains(last, b); aLast != bLast {
		return bLast
	}
	return a > b
}

// started reports whether a container runs and has been ready since it began.
func started(p *corev1.Pod, container string) bool {
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == container {
			return s.State.Running != nil && s.Started != nil && *s.Started
		}
	}
	return false
}

func ready(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// notReadySince is when a pod that is not ready became so.
func notReadySince(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time
		}
	}
	return p.CreationTimestamp.Time
}
