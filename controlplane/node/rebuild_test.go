package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// askForRebuild has the server of shop-a made anew for another release.
func (w *world) askForRebuild() { w.Helper(); w.askForRebuildOf("shop-a") }

func (w *world) askForRebuildOf(name string) {
	w.Helper()
	w.change(name, func(m *v1alpha1.Machine) {
		m.Spec.Rebuild = &v1alpha1.Rebuild{ID: "one", Release: m.Spec.Template.Release}
		m.Spec.Template.Release = "1.38.0-1"
	})
}

// progress writes down how far the cloud is with that of shop-a.
func (w *world) progress(booted bool) { w.Helper(); w.progressOf("shop-a", booted) }

func (w *world) progressOf(name string, booted bool) {
	w.Helper()
	m := w.machine(name)
	at := metav1.NewTime(w.now)
	m.Status.Rebuild = &v1alpha1.RebuildProgress{ID: "one", RequestedAt: at, AcceptedAt: &at}
	if booted {
		m.Status.Rebuild.BootedAt = &at
	}
	w.check(server.Client.Status().Update(w.Context(), m))
}

// boots has the node of shop-a tell of another boot.
func (w *world) boots(bootID, version string, heartbeat time.Time) {
	w.Helper()
	w.bootsOf("shop-a", bootID, version, heartbeat)
}

func (w *world) bootsOf(name, bootID, version string, heartbeat time.Time) {
	w.Helper()
	node := w.node(name)
	node.Status.NodeInfo.BootID, node.Status.NodeInfo.KubeletVersion = bootID, version
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: "True", LastTransitionTime: transition, LastHeartbeatTime: metav1.NewTime(heartbeat)}}
	w.check(server.Client.Status().Update(w.Context(), node))
}

// A node whose server is made anew is emptied first, stays with what users have put on it, and
// takes pods again when it has come back with its version, and not before.
func TestRebuild(t *testing.T) {
	w := newDrain(t)
	w.boots("1", "v1.37.1", w.now)
	w.newPod("web", "shop-a", controlledBy("ReplicaSet", "apps/v1"))
	w.newPod("agent", "shop-a", controlledBy("DaemonSet", "apps/v1"))
	uid := w.node("shop-a").UID
	w.askForRebuild()
	if again := w.mustPass(); again != 2*time.Second {
		t.Errorf("it looks again after %s, want 2s", again)
	}
	w.wantDrain("while pods end", false, "waiting for pods to end: "+w.namespace+"/web")
	if !w.node("shop-a").Spec.Unschedulable || w.pods("shop-a")["agent"] || !w.pods("shop-a")["web"] {
		t.Errorf("the node takes pods, or these are told to end: %v", w.pods("shop-a"))
	}
	w.endPods("shop-a")
	w.mustPass()
	w.wantDrain("when they have ended", true, "")
	if n := w.machine("shop-a").Status.Node; n.Rebuild != "one" || !n.Cordoned || n.Rebuilt != "" {
		t.Errorf("%+v", n)
	}

	for _, step := range []struct {
		when            string
		booted          bool
		bootID, version string
		back            bool
	}{
		{"before the server runs", false, "1", "v1.37.1", false},
		{"the node that was is Ready still", true, "1", "v1.37.1", false},
		{"another version than asked for", true, "2", "v1.37.1", false},
		{"as asked for", true, "2", "v1.38.0", true},
	} {
		w.progress(step.booted)
		w.boots(step.bootID, step.version, w.now)
		w.mustPass()
		n, node := w.machine("shop-a").Status.Node, w.node("shop-a")
		if (n.Rebuilt == "one") != step.back || node.Spec.Unschedulable == step.back || n.Drained == step.back || node.UID != uid {
			t.Errorf("%s: %+v, and the node takes no pods: %t", step.when, n, node.Spec.Unschedulable)
		}
		if step.bootID == "2" && !step.back && !strings.Contains(n.DrainMessage, "v1.37.1 and not with v1.38.0") {
			t.Errorf("%s: it says %q", step.when, n.DrainMessage)
		}
	}
	if n := w.machine("shop-a").Status.Node; n.Cordoned || n.DrainStartedAt != nil || n.DrainMessage != "" {
		t.Errorf("in the end %+v", n)
	}
}

// What a user has made unschedulable stays so, and what else they have put on a Node stays there.
func TestRule21CordonStaysInPlace(t *testing.T) {
	w := newDrain(t)
	w.boots("1", "v1.37.1", w.now)
	node := w.node("shop-a")
	node.Spec.Unschedulable = true
	node.Labels = map[string]string{"theirs": "yes"}
	node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "theirs", Value: "yes", Effect: corev1.TaintEffectNoSchedule})
	w.check(server.Client.Update(w.Context(), node))
	w.askForRebuild()
	w.mustPass()
	w.mustPass()
	w.wantDrain("without pods", true, "")
	w.progress(true)
	w.boots("2", "v1.38.0", w.now)
	w.mustPass()
	if n := w.machine("shop-a").Status.Node; n.Rebuilt != "one" || !w.node("shop-a").Spec.Unschedulable || w.node("shop-a").Labels["theirs"] != "yes" {
		t.Errorf("%+v, and the node is %+v", n, w.node("shop-a").Spec)
	}
	if taints := w.node("shop-a").Spec.Taints; !slices.ContainsFunc(taints, func(t corev1.Taint) bool { return t.Key == "theirs" && t.Value == "yes" }) {
		t.Errorf("the node has the taints %v, and a user had put another one on it", taints)
	}
}

// PodDisruptionBudgets are respected for ten minutes, and no longer, as for a deletion.
func TestRule22RebuildRespectsPodDisruptionBudgets(t *testing.T) {
	w := newDrain(t)
	w.newPod("web", "shop-a")
	w.guardPod("web", true)
	w.askForRebuild()
	w.mustPass()
	w.now = w.now.Add(10*time.Minute - time.Second)
	w.mustPass()
	if w.pods("shop-a")["web"] {
		t.Fatal("the pod is told to end within ten minutes")
	}
	w.now = w.now.Add(time.Second)
	w.mustPass()
	if !w.pods("shop-a")["web"] {
		t.Error("the pod is not told to end after ten minutes")
	}
}

// Volumes are detached before the server goes, while there is a kubelet that can say so.
func TestRebuildWaitsForVolumes(t *testing.T) {
	w := newDrain(t)
	node := w.node("shop-a")
	node.Status.VolumesAttached = []corev1.AttachedVolume{{Name: "kubernetes.io/csi/cinder^1"}}
	w.check(server.Client.Status().Update(w.Context(), node))
	w.askForRebuild()
	w.mustPass()
	w.mustPass()
	w.wantDrain("with a volume", false, "waiting for volumes to be detached: 1")
	w.now = w.now.Add(10*time.Minute + 29*time.Second)
	w.mustPass()
	w.wantDrain("within the time", false, "waiting for volumes to be detached: 1")
	w.now = w.now.Add(time.Second)
	w.mustPass()
	w.wantDrain("after it", true, "")
}

// Where there is no machine that boots, a heartbeat tells that the node has come back.
func TestRebuildOfHollowNodes(t *testing.T) {
	w := newDrain(t)
	w.boots("", "v1.38.0", w.now)
	w.askForRebuild()
	w.mustPass()
	w.mustPass()
	w.progress(true)
	w.mustPass()
	if n := w.machine("shop-a").Status.Node; n.Rebuilt != "" {
		t.Errorf("it is back before it has said anything: %+v", n)
	}
	w.boots("", "v1.38.0", w.now.Add(time.Second))
	w.mustPass()
	if n := w.machine("shop-a").Status.Node; n.Rebuilt != "one" {
		t.Errorf("it is not back: %+v", n)
	}
}

// newRefilled is a world in which shop-a was emptied for a rebuild, and then somebody let a pod come
// to it again.
func newRefilled(t *testing.T) *world {
	t.Helper()
	w := newDrain(t)
	w.askForRebuild()
	w.mustPass()
	w.mustPass()
	w.wantDrain("for the rebuild", true, "")
	node := w.node("shop-a")
	node.Spec.Unschedulable = false
	w.check(server.Client.Update(w.Context(), node))
	w.newPod("web", "shop-a", controlledBy("ReplicaSet", "apps/v1"))
	return w
}

// A node that was emptied for a rebuild which never came is emptied again for its deletion.
func TestRule22DeletionEmptiesAgainAfterARebuild(t *testing.T) {
	w := newRefilled(t)
	w.check(server.Client.Delete(w.Context(), w.machine("shop-a")))
	w.mustPass()
	w.wantDrain("for the deletion", false, "waiting for pods to end: "+w.namespace+"/web")
	w.endPods("shop-a")
	w.mustPass()
	w.wantDrain("when it is empty", true, "")
}

// One that somebody lets pods come to again, before the cloud has taken the rebuild up, is emptied
// again.
func TestRule22ARebuildThatWaitsEmptiesAgain(t *testing.T) {
	w := newRefilled(t)
	w.mustPass()
	w.wantDrain("uncordoned", false, "waiting for pods to end: "+w.namespace+"/web")
}

// A node that is made anew begins with its startup taints again, and whoever prepares it takes
// them away for good.
func TestRule29StartupTaintsAreThereAgainAfterARebuild(t *testing.T) {
	w := newDrain(t)
	w.change("shop-a", func(m *v1alpha1.Machine) {
		m.Spec.StartupTaints = []v1alpha1.Taint{{Key: "drivers", Effect: "NoSchedule"}}
	})
	tainted := func() bool {
		return slices.ContainsFunc(w.node("shop-a").Spec.Taints, func(t corev1.Taint) bool { return t.Key == "drivers" })
	}
	w.boots("1", "v1.37.1", w.now)
	w.askForRebuild()
	w.mustPass()
	w.mustPass()
	if w.wantDrain("without pods", true, ""); tainted() {
		t.Error("it has the taint before the cloud has taken the rebuild up")
	}
	w.progress(false)
	w.mustPass()
	if !tainted() {
		t.Error("it is made anew, and begins without the taint")
	}
	node := w.node("shop-a")
	node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == "drivers" })
	w.check(server.Client.Update(w.Context(), node))
	w.progress(true)
	w.boots("2", "v1.38.0", w.now)
	w.mustPass()
	if n := w.machine("shop-a").Status.Node; n.Rebuilt != "one" || tainted() {
		t.Errorf("%+v, and it has the taint again: %t", n, tainted())
	}
}
