package kubernetes

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

// Status implements host.Host, from what the caches hold. What was applied and is not
// seen there yet counts as not done.
func (h *Host) Status(ctx context.Context, namespace, name string) (component.Status, error) {
	key := client.ObjectKey{Namespace: namespace, Name: name}
	o := observation{name: name, waits: h.growth.waits(key)}
	d, s := &appsv1.Deployment{}, &appsv1.StatefulSet{}
	if err := h.client.Get(ctx, key, d); err == nil {
		o.seen = goal{replicas: replicasOf(d.Spec.Replicas), template: d.Spec.Template.Annotations[AnnotationTemplate]}
		o.conditions = d.Status.Conditions
	} else if client.IgnoreNotFound(err) != nil {
		return component.Status{}, err
	} else if err := h.client.Get(ctx, key, s); err == nil {
		o.seen = goal{replicas: replicasOf(s.Spec.Replicas), template: s.Spec.Template.Annotations[AnnotationTemplate]}
		o.data = true
	} else if client.IgnoreNotFound(err) != nil {
		return component.Status{}, err
	}

	h.mu.Lock()
	applied, ok := h.applied[key]
	h.mu.Unlock()
	if ok {
		o.seen = applied
	} else if o.seen == (goal{}) {
		left := false
		err := h.each(ctx, h.client, namespace, name, func(client.Object) { left = true })
		return component.Status{Gone: !left}, err
	}

	pods := &corev1.PodList{}
	if err := h.client.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(selectorOf(name))); err != nil {
		return component.Status{}, err
	}
	o.pods = pods.Items
	if o.data {
		var err error
		if o.claims, err = h.claims(ctx, namespace, name); err != nil {
			return component.Status{}, err
		}
	}
	return o.status(), nil
}

func replicasOf(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

// observation is what a status is made of.
type observation struct {
	name string
	// seen is what is to run.
	seen       goal
	data       bool
	pods       []corev1.Pod
	claims     []corev1.PersistentVolumeClaim
	conditions []appsv1.DeploymentCondition
	// waits is true while it may not grow yet.
	waits bool
}

func (o observation) status() component.Status {
	s := component.Status{Replicas: o.seen.replicas}
	outdated := 0
	var messages []string
	slices.SortFunc(o.pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	for i := range o.pods {
		p := &o.pods[i]
		if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
			continue
		}
		ordinal, ok := ordinalOf(o.name, p.Name)
		if o.data && (!ok || ordinal >= s.Replicas) {
			continue
		}
		if p.Annotations[AnnotationTemplate] == o.seen.template {
			s.Updated++
		} else {
			outdated++
		}
		if !ready(p) {
			messages = append(messages, explain(p, o.claims, o.seen.replicas == 1))
			continue
		}
		s.Ready++
		if at, ok := serving(p); ok {
			s.Serving = append(s.Serving, at)
		}
		if o.data {
			s.ReadyOrdinals = append(s.ReadyOrdinals, ordinal)
		}
	}
	slices.Sort(s.ReadyOrdinals)
	// In a rolling update there is one more than asked for. It is over when none of the
	// old ones is left.
	s.Ready = min(s.Ready, s.Replicas)
	s.Updated = max(0, min(s.Updated, s.Replicas-outdated))
	if o.data {
		s.Data = o.dataIDs()
	}
	for _, c := range o.conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			messages = append(messages, "pods cannot be made: "+c.Message)
		}
	}
	if o.waits {
		messages = append(messages, o.name+": has one replica, and starts the others when others have started theirs")
	}
	s.Message = join(messages)
	return s
}

// dataIDs identify the volumes of the replicas. A claim that is bound for the first time
// begins with nothing.
func (o observation) dataIDs() []string {
	ids := make([]string, o.seen.replicas)
	for _, c := range o.claims {
		if ordinal, ok := ordinalOf(volumeData+"-"+o.name, c.Name); ok && ordinal < len(ids) && c.Status.Phase == corev1.ClaimBound {
			ids[ordinal] = string(c.UID)
		}
	}
	return ids
}
