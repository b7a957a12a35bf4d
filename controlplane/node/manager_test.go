package node

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// TestManager runs the controller as the product does, with a cache and on the real clock. What
// an event tells of is awaited for less time than it takes until it looks by itself.
func TestManager(t *testing.T) {
	w := newWorld(t)
	mgr := apitest.NewManager(t, server, cache.Options{DefaultNamespaces: map[string]cache.Config{w.namespace: {}}}, 0)
	tenant, err := kubernetes.NewForConfig(server.Config)
	w.check(err)
	r := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Now: time.Now,
		Tenant: func(string) (kubernetes.Interface, bool) { return tenant, true },
	}
	w.check(r.SetupWithManager(mgr))
	stop := mgr.Run(t)
	await := func(what string, is func() bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) { return is(), nil })
		if err != nil {
			t.Fatalf("%s: %+v\n%s", what, w.machine("shop-a"), mgr.Logs())
		}
	}

	w.newMachine("shop-a")
	w.newNode("shop-b", "True", "")
	node := w.newNode("shop-a", "False", "no network yet")
	await("a new node", func() bool { n := w.machine("shop-a").Status.Node; return n != nil && n.Message == "no network yet" })
	w.setReady(node, "True", "")
	await("that becomes ready", func() bool { return w.machine("shop-a").Status.Node.Ready })
	w.change("shop-a", func(m *v1alpha1.Machine) { m.Spec.Labels = map[string]string{"tier": "web"} })
	await("an event of the spec", func() bool { return w.node("shop-a").Labels["tier"] == "web" })
	w.newPod("web", "shop-a")
	w.newPod("agent", "shop-a", controlledBy("DaemonSet", "apps/v1"))
	w.leave("shop-a")
	await("an event of the deletion", func() bool { return w.pods("shop-a")["web"] })
	w.endPods("shop-a")
	await("the end of the pod", func() bool { return w.machine("shop-a").Status.Node.Drained })
	w.serverIsGone("shop-a")
	await("an event of the server's end", func() bool { return w.machine("shop-a") == nil })
	if w.node("shop-a") != nil {
		t.Error("the node is left")
	}
	stop()
	if logs := mgr.Logs(); strings.Contains(logs, "Reconciler error") {
		t.Errorf("it failed:\n%s", logs)
	}
}
