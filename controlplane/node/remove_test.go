package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// serverIsGone does what dataplane does when nothing of a Machine is left in the cloud.
func (w *world) serverIsGone(name string) {
	w.Helper()
	w.change(name, func(m *v1alpha1.Machine) {
		m.Finalizers = slices.DeleteFunc(m.Finalizers, func(f string) bool { return f == v1alpha1.MachineFinalizer })
	})
}

// A node is deleted after its server, and the Machine after its node.
func TestRemove(t *testing.T) {
	deleteControlPlane := func(w *world) {
		w.delete(&v1alpha1.HostedControlPlane{ObjectMeta: w.meta("control-plane")})
	}
	for name, tc := range map[string]struct {
		change func(*world)
		// node and machine are whether they are still there after a pass.
		node, machine bool
	}{
		"the node goes first":                {func(*world) {}, false, false},
		"it is already gone":                 {func(w *world) { w.delete(w.node("shop-a")) }, false, false},
		"it was never heard of":              {func(w *world) { w.forget("shop-a") }, false, false},
		"another one of its name":            {func(w *world) { w.delete(w.node("shop-a")); w.newNode("shop-a", "True", "") }, true, false},
		"the tenant is silent":               {func(w *world) { w.silent = true }, true, true},
		"no connection":                      {func(w *world) { w.unconnected = true }, true, true},
		"silent, and the cluster is deleted": {func(w *world) { w.silent = true; w.delete(w.cluster) }, true, false},
		"the cluster is deleted":             {func(w *world) { w.delete(w.cluster) }, false, false},
		"no control plane":                   {deleteControlPlane, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDrain(t)
			w.leave("shop-a")
			w.mustPass()
			w.mustPass()
			w.wantDrain("without pods", true, "")
			if w.node("shop-a") == nil {
				t.Fatal("the node is gone before its server")
			}
			w.serverIsGone("shop-a")
			tc.change(w)
			again := w.mustPass()
			if there := w.node("shop-a") != nil; there != tc.node {
				t.Errorf("the node is there: %v, want %v", there, tc.node)
			}
			m := w.machine("shop-a")
			if (m != nil) != tc.machine {
				t.Fatalf("the Machine is there: %v, want %v", m != nil, tc.machine)
			}
			if m == nil {
				return
			}
			if again == 0 || again > 10*time.Second {
				t.Errorf("it looks again after %s", again)
			}
			w.wantDrain("while it waits", true, "when the tenant's API server answers")
			w.silent, w.unconnected = false, false
			w.mustPass()
			if w.machine("shop-a") != nil || w.node("shop-a") != nil {
				t.Error("it is not removed when the tenant answers again")
			}
		})
	}
}

// forget takes away what a Machine knows of its node.
func (w *world) forget(name string) {
	w.Helper()
	m := w.machine(name)
	m.Status.Node = nil
	w.check(server.Client.Status().Update(w.Context(), m))
}

// A Machine that others do not hold up any more has nothing to do with this package.
func TestAMachineWithoutTheFinalizer(t *testing.T) {
	w := newDrain(t)
	w.newPod("web", "shop-a")
	w.change("shop-a", func(m *v1alpha1.Machine) { m.Finalizers = []string{v1alpha1.MachineFinalizer} })
	w.leave("shop-a")
	w.mustPass()
	if w.pods("shop-a")["web"] || w.machine("shop-a").Status.Node.DrainStartedAt != nil {
		t.Error("it is drained, and nobody waits for that")
	}
}

// TestDeletionIsInterrupted cuts each request of a whole deletion, before it is carried out
// and after: whatever was cut, the pods are evicted after the begin was written down and never
// deleted, the node goes after its server, and in the end nothing is left.
func TestDeletionIsInterrupted(t *testing.T) {
	for at := 1; ; at++ {
		there := false
		for _, executed := range []bool{false, true} {
			there = interrupt(t, at, executed) || there
		}
		if !there {
			if at < 20 {
				t.Errorf("only %d requests were cut", at-1)
			}
			return
		}
	}
}

// interrupt cuts the request of that number, and reports whether there is one.
func interrupt(t *testing.T, at int, executed bool) (there bool) {
	t.Run(fmt.Sprintf("request %d, executed %v", at, executed), func(t *testing.T) {
		w := newDrain(t)
		w.newPod("web", "shop-a")
		w.newPod("agent", "shop-a", controlledBy("DaemonSet", "apps/v1"))
		w.leave("shop-a")
		w.cut = &apitest.Cut{At: at, Executed: executed}
		requests := w.cut
		var began *metav1.Time
		for range 8 {
			if _, err := w.pass(); err != nil && !there && len(requests.Asked) < at {
				t.Fatalf("a pass that was not cut: %v", err)
			}
			if len(requests.Asked) >= at {
				// The manager has died, and another one starts.
				there, requests.At = true, 0
			}
			m, node := w.machine("shop-a"), w.node("shop-a")
			if m == nil {
				break
			}
			began = w.checkDeletion(m, node, began)
			if m.Status.Node.Drained && slices.Contains(m.Finalizers, v1alpha1.MachineFinalizer) {
				w.serverIsGone("shop-a")
			}
			w.endPods("shop-a")
			w.now = w.now.Add(2 * time.Second)
		}
		if m, node := w.machine("shop-a"), w.node("shop-a"); m != nil || node != nil {
			t.Errorf("the Machine is left: %v, and the node: %v", m != nil, node != nil)
		}
		if diff := cmp.Diff(map[string]bool{"agent": false}, w.pods("shop-a")); diff != "" {
			t.Errorf("pods (-want +got):\n%s", diff)
		}
		if w.node("shop-b").Spec.Unschedulable || w.machine("shop-b").DeletionTimestamp != nil {
			t.Error("the other node is touched")
		}
		for _, request := range requests.Asked {
			if strings.HasPrefix(request, "DELETE ") && strings.Contains(request, "/pods/") {
				t.Errorf("it asked for %s, and had time to evict", request)
			}
		}
	})
	return there
}

// checkDeletion checks what holds at any time of a deletion.
func (w *world) checkDeletion(m *v1alpha1.Machine, node *corev1.Node, began *metav1.Time) *metav1.Time {
	w.Helper()
	if held := slices.Contains(m.Finalizers, v1alpha1.MachineFinalizer); node == nil && held {
		w.Error("the node is gone before its server")
	}
	now := m.Status.Node.DrainStartedAt
	if w.pods("shop-a")["web"] && now == nil {
		w.Error("a pod was evicted before it is written down when the drain began")
	}
	if began != nil && !began.Equal(now) {
		w.Errorf("the drain began at %s, and now says %s", began, now)
	}
	if _, running := w.pods("shop-a")["web"]; running && m.Status.Node.Drained {
		w.Error("it is drained while a pod still runs")
	}
	return now
}
