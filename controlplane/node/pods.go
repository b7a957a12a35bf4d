package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	// podsAtOnce is how many pods of a tenant are evicted or deleted in a pass, shared by the
	// nodes that are drained: as many as the client may send requests in busy.
	podsAtOnce = 100
	// podsPerPage is more than a node has, and keeps an answer small enough to be read.
	podsPerPage = 250
	// named is how many pods a message names.
	named = 3
)

// move cordons a node and evicts its pods, or deletes them when the drain time-out is over. The
// node is drained when it finds none.
func (r *Reconciler) move(ctx context.Context, s *scope, m *v1alpha1.Machine, node *corev1.Node) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if !node.Spec.Unschedulable {
		if err := patchNode(ctx, s, node, fmt.Appendf(nil, `{"metadata":{"uid":%q},"spec":{"unschedulable":true}}`, node.UID)); err != nil {
			return fmt.Errorf("cordoning: %w", err)
		}
	}
	page, err := s.tenant.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node.Name, Limit: podsPerPage})
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	var left []*corev1.Pod
	for i := range page.Items {
		if moves(&page.Items[i], node, r.Now()) {
			left = append(left, &page.Items[i])
		}
	}
	n := m.Status.Node
	end := n.DrainStartedAt.Add(timeoutOf(m))
	late := !r.Now().Before(end)
	if len(left) == 0 && page.Continue == "" {
		if volumes := attached(node); volumes > 0 && r.Now().Before(end.Add(endTimeout)) {
			n.DrainMessage = fmt.Sprintf("waiting for volumes to be detached: %d", volumes)
			return nil
		}
		drained(n, "")
		return nil
	}
	switch pods := describe(left, s.end(ctx, left, late)); {
	case !late:
		n.DrainMessage = "waiting for pods to end: " + pods
	case r.Now().Before(end.Add(endTimeout)):
		n.DrainMessage = "the drain time-out is over, waiting for pods that were deleted: " + pods
	default:
		drained(n, "the drain time-out is over, and these pods have not ended: "+pods)
	}
	return nil
}

// attached is how many volumes a node still has. Where it is not heard of any more nobody
// detaches them before its server is gone.
func attached(node *corev1.Node) int {
	if !isReady(node) {
		return 0
	}
	return len(node.Status.VolumesAttached)
}

// moves reports whether a pod has to move before its node is gone. Pods that belong to the node
// do not, and such as have ended; and where the node is not heard of any more, nobody tells
// that a pod has ended whose time is over.
func moves(pod *corev1.Pod, node *corev1.Node, now time.Time) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return false
	}
	for _, owner := range pod.OwnerReferences {
		if owner.Controller == nil || !*owner.Controller {
			continue
		}
		if group, _, _ := strings.Cut(owner.APIVersion, "/"); owner.Kind == "DaemonSet" && group == "apps" || owner.Kind == "Node" && owner.APIVersion == "v1" {
			return false
		}
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return false
	}
	ready := readiness(node)
	lost := ready != nil && ready.Status == corev1.ConditionUnknown
	return !lost || pod.DeletionTimestamp == nil || now.Before(pod.DeletionTimestamp.Time)
}

// end evicts pods, or deletes them, and returns what is in the way of some, by their place.
// There may be no time for all of them.
func (s *scope) end(ctx context.Context, pods []*corev1.Pod, late bool) map[int]string {
	var todo []int
	for i, pod := range pods {
		if pod.DeletionTimestamp == nil {
			todo = append(todo, i)
		}
	}
	if len(todo) > s.share {
		// Those that cannot be evicted must not keep the others from their turn.
		rand.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
		todo = todo[:s.share]
	}
	why := map[int]string{}
	for _, i := range todo {
		err := s.endOne(ctx, pods[i], late)
		var refused apierrors.APIStatus
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
			// The next pass finds it gone, or another one.
		case errors.As(err, &refused):
			why[i] = reasonOf(refused.Status())
		default:
			ctrl.LoggerFrom(ctx).V(1).Info("the tenant has stopped to answer", "error", err.Error())
			return why
		}
	}
	return why
}

// shareOf is how many pods of each node are evicted or deleted in a pass.
func shareOf(machines []v1alpha1.Machine) int {
	leaving := 0
	for i := range machines {
		if m := &machines[i]; isLeaving(m) && (m.Status.Node == nil || !m.Status.Node.Drained) {
			leaving++
		}
	}
	return max(1, podsAtOnce/max(1, leaving))
}

func (s *scope) endOne(ctx context.Context, pod *corev1.Pod, late bool) error {
	// Not another one of its name, which has begun elsewhere.
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}
	if late {
		return s.tenant.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, options)
	}
	// The method for evictions waits itself, as long as the answer tells it to: for that the
	// other pods have no time.
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, DeleteOptions: &options}
	return s.tenant.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("eviction").
		Body(eviction).MaxRetries(0).Do(ctx).Error()
}

// reasonOf is the most precise that the answer says.
func reasonOf(status metav1.Status) string {
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			if cause.Message != "" {
				return cause.Message
			}
		}
	}
	return status.Message
}

// describe names the first pods that are left, those first that something is in the way of.
func describe(pods []*corev1.Pod, why map[int]string) string {
	var names []string
	for _, blocked := range []bool{true, false} {
		for i, pod := range pods {
			reason, ok := why[i]
			if ok != blocked || len(names) == named {
				continue
			}
			if names = append(names, pod.Namespace+"/"+pod.Name); blocked {
				names[len(names)-1] += " (" + reason + ")"
			}
		}
	}
	if more := len(pods) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return shortened(strings.Join(names, ", "))
}
