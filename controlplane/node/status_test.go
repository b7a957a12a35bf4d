package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What a node is, its Machine says, and a second pass over both writes nothing.
func TestAMachineIsToldOfItsNode(t *testing.T) {
	for name, tc := range map[string]struct {
		ready   corev1.ConditionStatus
		message string
		want    v1alpha1.MachineNode
		again   time.Duration
	}{
		"ready":                   {"True", "kubelet is posting ready status", v1alpha1.MachineNode{Ready: true, Since: &transition}, 30 * time.Second},
		"not ready":               {"False", "no network yet", v1alpha1.MachineNode{Since: &transition, Message: "no network yet"}, 2 * time.Second},
		"not heard of":            {"Unknown", "Kubelet stopped posting node status.", v1alpha1.MachineNode{Since: &transition, Message: "Kubelet stopped posting node status."}, 2 * time.Second},
		"with much to say":        {"False", strings.Repeat("é", 600), v1alpha1.MachineNode{Since: &transition, Message: strings.Repeat("é", 511) + "…"}, 2 * time.Second},
		"has said nothing so far": {"", "", v1alpha1.MachineNode{Message: "the node does not tell whether it is ready"}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.newMachine("shop-a")
			if again := w.mustPass(); again != 2*time.Second || w.machine("shop-a").Status.Node != nil {
				t.Errorf("without a node it looks again after %s and says %+v, want 2s and nothing", again, w.machine("shop-a").Status.Node)
			}
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "shop-a"}}
			if w.create(node); tc.ready != "" {
				w.setReady(node, tc.ready, tc.message)
			}
			if again := w.mustPass(); again != tc.again {
				t.Errorf("it looks again after %s, want %s", again, tc.again)
			}
			tc.want.UID, tc.want.ChangedAt = node.UID, new(metav1.NewTime(w.now.Truncate(time.Second)))
			m := w.machine("shop-a")
			if diff := cmp.Diff(&tc.want, m.Status.Node, sameTime); diff != "" {
				t.Errorf("status.node (-want +got):\n%s", diff)
			}
			if m.Status.ServerID != "server" || m.Status.ProjectID != "project" {
				t.Errorf("it has changed what others write: %+v", m.Status)
			}
			if diff := cmp.Diff(w.looks(), w.requests()); diff != "" {
				t.Errorf("requests of a second pass (-want +got):\n%s", diff)
			}
		})
	}
}

// looks are the requests of a pass that has nothing to do.
func (w *world) looks() []string {
	in := "GET /apis/marina.dev/v1alpha1/namespaces/" + w.namespace
	return []string{in + "/machines", in + "/hostedcontrolplanes/control-plane", "GET /api/v1/nodes"}
}

// One list of nodes is for all Machines of a tenant.
func TestATenantIsAskedOnceForAllMachines(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"shop-a", "shop-b", "shop-c"} {
		w.newMachine(name)
		w.newNode(name, "True", "")
	}
	w.mustPass()
	for _, name := range []string{"shop-a", "shop-b", "shop-c"} {
		if n := w.machine(name).Status.Node; n == nil || !n.Ready {
			t.Errorf("%s: %+v, want a ready node", name, n)
		}
	}
	if diff := cmp.Diff(w.looks(), w.requests()); diff != "" {
		t.Errorf("requests of a second pass (-want +got):\n%s", diff)
	}
}

func TestANodeThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.newMachine("shop-a")
	node := w.newNode("shop-a", "True", "")
	w.mustPass()
	w.delete(node)
	gone := metav1.NewTime(w.now)
	for range 2 {
		w.mustPass()
		want := &v1alpha1.MachineNode{Since: &gone, ChangedAt: &gone, Message: "the node is no longer in the cluster: it comes back when its server is rebooted"}
		if diff := cmp.Diff(want, w.machine("shop-a").Status.Node, sameTime); diff != "" {
			t.Fatalf("status.node (-want +got):\n%s", diff)
		}
		w.now = w.now.Add(time.Minute)
	}
	again := w.newNode("shop-a", "False", "")
	w.mustPass()
	if n := w.machine("shop-a").Status.Node; n.UID != again.UID || !n.Since.Equal(&transition) {
		t.Errorf("%+v, want the new node, %s", n, again.UID)
	}
}

// While a tenant cannot be asked, what is known stays, and nothing is done.
func TestATenantThatCannotBeAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		// again is when it looks again, while a node is to become Ready and afterwards.
		again, calm time.Duration
	}{
		"no connection":    {func(w *world) { w.unconnected = true }, 2 * time.Second, 30 * time.Second},
		"no answer":        {func(w *world) { w.silent = true }, 10 * time.Second, 30 * time.Second},
		"no control plane": {func(w *world) { w.delete(&v1alpha1.HostedControlPlane{ObjectMeta: w.meta("control-plane")}) }, 2 * time.Second, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.newMachine("shop-a")
			node := w.newNode("shop-a", "True", "")
			w.mustPass()
			before := w.machine("shop-a")
			w.setReady(node, "False", "broken")
			tc.change(w)
			if again := w.mustPass(); again != tc.calm {
				t.Errorf("it looks again after %s, want %s", again, tc.calm)
			}
			if diff := cmp.Diff(before, w.machine("shop-a")); diff != "" {
				t.Errorf("the Machine has changed:\n%s", diff)
			}
			w.newMachine("shop-b")
			if again := w.mustPass(); again != tc.again {
				t.Errorf("with a new Machine it looks again after %s, want %s", again, tc.again)
			}
		})
	}
}

func TestWhenItLooksAgain(t *testing.T) {
	w := newWorld(t)
	if again := w.mustPass(); again != 0 {
		t.Errorf("without Machines it looks again after %s, want never", again)
	}
	w.newMachine("shop-a")
	m := w.machine("shop-a")
	m.Status.ServerID = ""
	w.check(server.Client.Status().Update(t.Context(), m))
	if again := w.mustPass(); again != 30*time.Second {
		t.Errorf("without a server it looks again after %s, want 30s: an event tells of one", again)
	}
	m = w.machine("shop-a")
	m.Status.ServerID, m.Status.ReadySince = "server", &transition
	w.check(server.Client.Status().Update(t.Context(), m))
	if again := w.mustPass(); again != 30*time.Second {
		t.Errorf("when it has been Ready it looks again after %s, want 30s", again)
	}
}

// Of a tenant with any number of nodes no more are kept than are needed, and one with too
// many is not asked to its end.
func TestManyNodes(t *testing.T) {
	machines := []v1alpha1.Machine{{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}}
	tenant := fake.NewClientset()
	pages, endless := 0, false
	tenant.PrependReactor("list", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		list := &corev1.NodeList{}
		if pages++; pages < 3 || endless {
			list.Continue = "more"
		}
		for i := range 100 {
			list.Items = append(list.Items, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("theirs-%d-%d", pages, i)}})
		}
		list.Items = append(list.Items, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: []string{"", "other", "also", "mine"}[min(pages, 3)]},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
		})
		return true, list, nil
	})
	nodes, err := nodesOf(t.Context(), tenant, machines)
	if diff := cmp.Diff([]string{"mine", "other", "theirs-1-0"}, slices.Sorted(maps.Keys(nodes))); diff != "" || err != nil {
		t.Errorf("error %v; nodes (-want +got):\n%s", err, diff)
	}
	endless, pages = true, 0
	if _, err := nodesOf(t.Context(), tenant, machines); err == nil || pages != maxPages {
		t.Errorf("error %v after %d pages, want one after %d", err, pages, maxPages)
	}
}
