package node

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Nobody waits where waiting saves nothing.
func TestRule22DrainIsSkipped(t *testing.T) {
	leave := func(w *world) { w.leave("shop-a") }
	for name, tc := range map[string]struct {
		change  func(w *world)
		drained bool
		says    string
	}{
		"not when there is another node": {leave, false, "waiting for pods to end"},
		"the node is not there":          {func(w *world) { w.delete(w.node("shop-a")); leave(w) }, true, ""},
		"the only node":                  {func(w *world) { w.delete(w.node("shop-b")); leave(w) }, true, "there is no other node"},
		"the other is not ready":         {func(w *world) { w.setReady(w.node("shop-b"), "False", ""); leave(w) }, true, "there is no other node"},
		"the other is cordoned": {func(w *world) {
			node := w.node("shop-b")
			node.Spec.Unschedulable = true
			w.check(server.Client.Update(w.Context(), node))
			leave(w)
		}, true, "there is no other node"},
		"the other is deleted too": {func(w *world) { w.leave("shop-b"); leave(w) }, true, "there is no other node"},
		"not when somebody has brought another": {func(w *world) {
			w.leave("shop-b")
			w.newNode("mine", "True", "")
			leave(w)
		}, false, "waiting for pods to end"},
		"the cluster is deleted": {func(w *world) { w.delete(w.cluster); leave(w) }, true, "the cluster is deleted"},
		"the cluster is gone": {func(w *world) {
			w.delete(w.cluster)
			w.releaseCluster()
			leave(w)
		}, true, "the cluster is deleted"},
		"the control plane is gone": {func(w *world) {
			w.delete(&v1alpha1.HostedControlPlane{ObjectMeta: w.meta("control-plane")})
			leave(w)
		}, true, "the cluster is deleted"},
		"not when only the control plane is deleted, which then goes on": {func(w *world) {
			hcp := &v1alpha1.HostedControlPlane{ObjectMeta: w.meta("control-plane")}
			w.get(hcp)
			hcp.Finalizers = []string{v1alpha1.HostedControlPlaneFinalizer}
			w.check(server.Client.Update(w.Context(), hcp))
			w.delete(hcp)
			leave(w)
		}, false, "waiting for pods to end"},
		"begun, and the other is not ready for a while": {func(w *world) { leave(w); w.mustPass(); w.setReady(w.node("shop-b"), "Unknown", "") }, false, "waiting for pods to end"},
		"begun, and the other is gone":                  {func(w *world) { leave(w); w.mustPass(); w.delete(w.node("shop-b")) }, true, "there is no other node"},
		"begun, and the cluster is deleted":             {func(w *world) { leave(w); w.mustPass(); w.delete(w.cluster) }, true, "the cluster is deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDrain(t)
			w.newPod("web", "shop-a")
			tc.change(w)
			w.mustPass()
			w.wantDrain("after a pass", tc.drained, tc.says)
		})
	}
}

func (w *world) releaseCluster() {
	w.Helper()
	w.get(w.cluster)
	w.cluster.Finalizers = nil
	w.check(server.Client.Update(w.Context(), w.cluster))
}

// What has been said once stays, since the server may be gone because of it.
func TestDrainedStays(t *testing.T) {
	w := newDrain(t)
	w.delete(w.node("shop-b"))
	w.newPod("web", "shop-a")
	w.leave("shop-a")
	w.mustPass()
	w.newNode("shop-b", "True", "")
	w.mustPass()
	w.wantDrain("with another node", true, "there is no other node")
	if w.pods("shop-a")["web"] {
		t.Error("the pod was evicted")
	}
}

// A tenant that does not answer holds a deletion up for as long as a drain may take.
func TestDrainOfATenantThatDoesNotAnswer(t *testing.T) {
	for name, cut := range map[string]func(*world){
		"no connection": func(w *world) { w.unconnected = true },
		"no answer":     func(w *world) { w.silent = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newDrain(t)
			w.newPod("web", "shop-a")
			w.leave("shop-a")
			cut(w)
			deleted := w.machine("shop-a").DeletionTimestamp.Time
			w.now = deleted.Add(10*time.Minute - time.Second)
			w.mustPass()
			w.wantDrain("before the time-out", false, "does not answer: it is waited for until "+deleted.Add(10*time.Minute).UTC().Format(time.RFC3339))
			for _, request := range w.requests() {
				if !strings.HasPrefix(request, "GET ") {
					t.Errorf("while it waits, it asks for %s", request)
				}
			}
			w.now = deleted.Add(10 * time.Minute)
			w.mustPass()
			w.wantDrain("after the time-out", true, "has not answered")
		})
	}
}

// Without a server there was no node, whether or not the tenant answers.
func TestDrainOfAMachineThatNeverWas(t *testing.T) {
	w := newWorld(t)
	w.newMachine("shop-a")
	m := w.machine("shop-a")
	m.Status = v1alpha1.MachineStatus{}
	w.check(server.Client.Status().Update(t.Context(), m))
	w.silent = true
	w.leave("shop-a")
	w.mustPass()
	w.wantDrain("without a server", true, "")
	w.serverIsGone("shop-a")
	w.mustPass()
	if m := w.machine("shop-a"); m != nil {
		t.Errorf("it is still there: %+v", m.Status.Node)
	}
}

// On a node that is not heard of nobody tells that a pod has ended.
func TestDrainOfANodeThatIsLost(t *testing.T) {
	w := newDrain(t)
	w.setReady(w.node("shop-a"), "Unknown", "Kubelet stopped posting node status.")
	w.newPod("web", "shop-a")
	w.leave("shop-a")
	w.mustPass()
	w.wantDrain("while it may be ending", false, "waiting for pods to end")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"}}
	w.get(pod)
	w.now = pod.DeletionTimestamp.Time
	w.mustPass()
	w.wantDrain("when its time is over", true, "")
}
