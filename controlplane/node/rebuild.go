package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// clockSkew is how far ahead of ours a node's clock may be, where nothing but its heartbeat
// tells that it has booted again.
const clockSkew = 2 * time.Minute

// rebuild gets on with what a node has to do with its server being made anew in place: it is
// emptied before, and takes pods again when it has come back. The Node stays, with what users
// have put on it.
func (r *Reconciler) rebuild(ctx context.Context, s *scope, m, before *v1alpha1.Machine) error {
	if !m.Rebuilding() {
		return nil
	}
	node, id := s.nodes[m.Name], m.Spec.Rebuild.ID
	if m.Status.Node == nil {
		m.Status.Node = &v1alpha1.MachineNode{}
	}
	n := m.Status.Node
	if n.Rebuilt == id {
		return nil
	}
	if n.Rebuild != id {
		n.Rebuild, n.Drained, n.DrainStartedAt, n.WaitsSince, n.DrainMessage = id, false, nil, nil, ""
	}
	progress := m.Status.Rebuild
	if progress == nil || progress.ID != id || progress.AcceptedAt == nil {
		n.Boot = bootOf(node)
		if n.Drained && n.DrainStartedAt != nil && node != nil && !node.Spec.Unschedulable {
			// Somebody lets pods come to it again, while the cloud has not taken it up.
			n.Drained, n.DrainStartedAt = false, nil
		}
	}
	if !n.Drained {
		return r.vacate(ctx, s, m, before, node)
	}
	if progress != nil && progress.ID == id && progress.AcceptedAt != nil && node != nil && n.Begun != id {
		if err := r.beginAnew(ctx, s, m, node); err != nil {
			ctrl.LoggerFrom(ctx).Info("a node cannot be given its startup taints", "node", node.Name, "error", shortened(err.Error()))
			return nil
		}
		n.Begun = id
	}
	if progress == nil || progress.ID != id || progress.BootedAt == nil || !n.Ready || !hasBooted(node, n.Boot, progress.BootedAt.Time) {
		return nil
	}
	if want := kubeletOf(m); want != "" && node.Status.NodeInfo.KubeletVersion != want {
		n.DrainMessage = shortened(fmt.Sprintf("the node has come back with Kubernetes %s and not with %s: its image is not of that version", node.Status.NodeInfo.KubeletVersion, want))
		return nil
	}
	if n.Cordoned && node.Spec.Unschedulable {
		ctx, cancel := s.within(ctx)
		defer cancel()
		if err := patchNode(ctx, s, node, fmt.Appendf(nil, `{"metadata":{"uid":%q},"spec":{"unschedulable":null}}`, node.UID)); err != nil {
			ctrl.LoggerFrom(ctx).Info("a node cannot be made schedulable", "node", node.Name, "error", shortened(err.Error()))
			return nil
		}
	}
	n.Rebuilt, n.Cordoned, n.Boot = id, false, ""
	n.Drained, n.DrainStartedAt, n.DrainMessage = false, nil, ""
	return nil
}

// beginAnew gives a node its startup taints again, whose system is a new one: once it is being
// made anew, so that nobody who has prepared the one before takes them away.
func (r *Reconciler) beginAnew(ctx context.Context, s *scope, m *v1alpha1.Machine, node *corev1.Node) error {
	taints, there := slices.Clone(node.Spec.Taints), map[string]bool{}
	for _, t := range taints {
		there[v1alpha1.TaintID(t.Key, t.Effect)] = true
	}
	for _, t := range m.Spec.StartupTaints {
		if !there[v1alpha1.TaintID(t.Key, t.Effect)] {
			taints = append(taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
		}
	}
	if len(taints) == len(node.Spec.Taints) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": node.UID, "resourceVersion": node.ResourceVersion}, "spec": map[string]any{"taints": taints},
	})
	if err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	return patchNode(ctx, s, node, patch)
}

// vacate empties a node whose server is to be made anew. A tenant that cannot be asked is
// waited for: there is no hurry.
func (r *Reconciler) vacate(ctx context.Context, s *scope, m, before *v1alpha1.Machine, node *corev1.Node) error {
	n := m.Status.Node
	if node == nil {
		drained(n, "")
		return nil
	}
	if goes, err := r.mayMove(ctx, s, m); err != nil || !goes {
		return err
	}
	if n.DrainStartedAt == nil {
		// Who has made it unschedulable before keeps it so.
		n.Cordoned = n.Cordoned || !node.Spec.Unschedulable
		if err := r.begin(ctx, m, before); err != nil {
			return err
		}
	}
	if err := r.move(ctx, s, m, node); err != nil {
		ctrl.LoggerFrom(ctx).Info("a node cannot be drained", "node", node.Name, "error", shortened(err.Error()))
	}
	return nil
}

// bootOf is what tells one boot of a node from others, as far as it tells any.
func bootOf(node *corev1.Node) string {
	if node == nil {
		return ""
	}
	info := node.Status.NodeInfo
	return shortened(info.BootID + " " + info.MachineID + " " + info.KubeletVersion)
}

// hasBooted reports whether a kubelet of the rebuilt server has told of a node: by what differs
// from the boot before, or by a heartbeat that the one before cannot have sent.
func hasBooted(node *corev1.Node, before string, at time.Time) bool {
	if node == nil {
		return false
	}
	if bootOf(node) != before {
		return true
	}
	skew := clockSkew
	if node.Status.NodeInfo.BootID == "" {
		skew = 0 // it is no machine
	}
	c := readiness(node)
	return c != nil && c.LastHeartbeatTime.After(at.Add(skew))
}

// forgetRebuild has a node that is deleted emptied for that, whatever it was emptied for before.
func forgetRebuild(n *v1alpha1.MachineNode) {
	if n.Rebuild != "" && n.Rebuild != n.Rebuilt {
		n.Drained, n.DrainStartedAt, n.WaitsSince, n.DrainMessage = false, nil, nil, ""
	}
	n.Rebuild = ""
}

// kubeletOf is the version that the kubelet of a node tells when it is as it should be; empty
// where that is not known: the image is the tenant's own, or no other one than before.
func kubeletOf(m *v1alpha1.Machine) string {
	if m.Spec.Template.Image != "" || m.Renewing() {
		return ""
	}
	v, err := release.Parse(m.Spec.Template.Release)
	if err != nil {
		return m.Spec.Template.Release
	}
	return v.Kubernetes()
}
