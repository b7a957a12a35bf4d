package bootstrap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// The machine gets all that it needs, the tenant lets in that node with it, and a second
// pass writes nothing.
func TestRule32Bootstrap(t *testing.T) {
	w := newWorld(t)
	if result := w.mustPass(); result.RequeueAfter != 30*time.Minute {
		t.Errorf("it looks again after %s, want when the token ends, after 30m", result.RequeueAfter)
	}
	w.wantReady("True", "AsExpected")
	b := w.bootstrap()
	if b.Status.SecretName != "bootstrap-shop-a1b2" || !b.Status.ExpirationTime.Time.Equal(w.now.Add(30*time.Minute)) {
		t.Errorf("status %+v", b.Status)
	}

	tokens := w.tokens()
	if len(tokens) != 1 {
		t.Fatalf("the tenant has %d tokens, want one", len(tokens))
	}
	data := map[string]string{}
	for key, value := range tokens[0].Data {
		data[key] = string(value)
	}
	id, secret := data["token-id"], data["token-secret"]
	want := map[string]string{
		"token-id": id, "token-secret": secret, "expiration": "2026-03-01T12:30:00Z",
		"description":       "machine of " + w.namespace + "/shop-a1b2",
		"auth-extra-groups": "system:bootstrappers:marina:nodes", "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
	}
	if diff := cmp.Diff(want, data); diff != "" || len(id) != 6 || len(secret) != 16 {
		t.Errorf("token of %d and %d characters (-want +got):\n%s", len(id), len(secret), diff)
	}
	if node := tokens[0].Annotations[v1alpha1.AnnotationNodeName]; node != "shop-a1b2" {
		t.Errorf("the token lets in %q", node)
	}

	given := w.secret()
	config, err := clientcmd.Load(given.Data[v1alpha1.KeyKubeconfig])
	if err != nil {
		t.Fatal(err)
	}
	current := config.Contexts[config.CurrentContext]
	if cluster := config.Clusters[current.Cluster]; cluster.Server != "https://203.0.113.7:6443" || string(cluster.CertificateAuthorityData) != "CA" {
		t.Errorf("the kubeconfig leads to %s, trusting %q", cluster.Server, cluster.CertificateAuthorityData)
	}
	if got := config.AuthInfos[current.AuthInfo].Token; got != id+"."+secret {
		t.Error("the kubeconfig does not have the tenant's token")
	}
	if got := string(given.Data[v1alpha1.KeyKubeletConfiguration]); got != "kind: KubeletConfiguration\n" {
		t.Errorf("the kubelet's configuration is %q", got)
	}
	if !metav1.IsControlledBy(given, b) {
		t.Error("the Secret does not go with the NodeBootstrap")
	}

	w.cut = &apitest.Cut{}
	w.mustPass()
	if diff := cmp.Diff([]string{"GET " + path(w)}, w.cut.Asked); diff != "" {
		t.Errorf("requests of a second pass (-want +got):\n%s", diff)
	}
}

func path(w *world) string {
	return "/apis/marina.dev/v1alpha1/namespaces/" + w.namespace + "/nodebootstraps/shop-a1b2"
}

func TestBootstrapWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(w *world)
		reason  string
		message string
		again   time.Duration
	}{
		"until a node could join": {func(w *world) { w.setReady(false) }, "WaitingForControlPlane", "not ready", 0},
		"for the connection":      {func(w *world) { w.unconnected = true }, "WaitingForControlPlane", "connection", time.Second},
		"for a control plane":     {func(w *world) { w.delete(&v1alpha1.HostedControlPlane{ObjectMeta: w.meta("control-plane")}) }, "NoControlPlane", "no control plane", 0},
		"while the configuration is not there": {func(w *world) {
			w.delete(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubelet-config"}})
		},
			"TenantUnreachable", "kube-system/kubelet-config", -1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			result, err := w.pass()
			if (err != nil) != (tc.again < 0) || tc.again >= 0 && result.RequeueAfter != tc.again {
				t.Errorf("%+v, %v; want another pass after %s, or an error", result, err, tc.again)
			}
			c := w.bootstrap().Status.Conditions[0]
			if c.Status == "True" || c.Reason != tc.reason || !strings.Contains(c.Message, tc.message) {
				t.Errorf("%s: %s: %s; want %s: ...%s", c.Status, c.Reason, c.Message, tc.reason, tc.message)
			}
			if len(w.tokens()) > 0 || w.secret() != nil {
				t.Error("there is a token already")
			}
		})
	}
}

func (w *world) delete(obj client.Object) {
	w.Helper()
	w.check(server.Client.Delete(w.Context(), obj))
}

func TestBootstrapEnds(t *testing.T) {
	w := newWorld(t)
	w.mustPass()
	w.now = w.now.Add(30 * time.Minute)
	if result := w.mustPass(); result.RequeueAfter != 0 {
		t.Errorf("it looks again after %s, though nothing will change", result.RequeueAfter)
	}
	if message := w.wantReady("False", "Expired"); !strings.Contains(message, "2026-03-01T12:30:00Z") || !strings.Contains(message, "create another") {
		t.Errorf("message %q", message)
	}
}

// Its Secret goes some time after a NodeBootstrap: the next one of its name waits for that.
func TestBootstrapOfTheSameName(t *testing.T) {
	w := newWorld(t)
	w.mustPass()
	earlier := w.secret()
	w.again()
	if result := w.mustPass(); result.RequeueAfter != time.Second {
		t.Errorf("it looks again after %s, want 1s: nothing tells it that the Secret is gone", result.RequeueAfter)
	}
	if message := w.wantReady("Unknown", "SecretTaken"); !strings.Contains(message, earlier.Name) {
		t.Errorf("message %q", message)
	}
	w.delete(earlier)
	w.mustPass()
	w.wantReady("True", "AsExpected")
	tokens := w.tokens()
	if len(tokens) != 1 || string(tokens[0].Data["token-id"]) != string(w.secret().Data["token-id"]) {
		t.Errorf("the tenant has %d tokens, want one, and the machine's", len(tokens))
	}
}

// again deletes the NodeBootstrap and creates another one of its name.
func (w *world) again() {
	w.Helper()
	w.delete(w.bootstrap())
	w.mustPass()
	w.create(&v1alpha1.NodeBootstrap{ObjectMeta: w.meta("shop-a1b2"), Spec: v1alpha1.NodeBootstrapSpec{NodeName: "shop-a1b2"}})
}

// No node of such a name would be let in.
func TestBootstrapOfAReservedName(t *testing.T) {
	w := newWorld(t)
	w.delete(w.bootstrap())
	w.create(&v1alpha1.NodeBootstrap{ObjectMeta: w.meta("shop-a1b2"), Spec: v1alpha1.NodeBootstrapSpec{NodeName: "kubernetes"}})
	w.mustPass()
	if message := w.wantReady("False", "InvalidNodeName"); !strings.Contains(message, "kubernetes") {
		t.Errorf("message %q", message)
	}
	if len(w.tokens()) > 0 || w.secret() != nil {
		t.Error("there is a token nevertheless")
	}
}

// A token is revoked with its NodeBootstrap, but for that nobody waits who need not.
func TestBootstrapIsDeleted(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(w *world)
		// again is when it looks again, if it is still there.
		again time.Duration
		// left is how many tokens the tenant still has.
		left int
	}{
		"the token is revoked":            {func(*world) {}, 0, 0},
		"the tenant cannot be reached":    {func(w *world) { w.unconnected = true }, time.Second, 1},
		"the control plane is not ready":  {func(w *world) { w.unconnected = true; w.setReady(false) }, 30 * time.Minute, 1},
		"the tenant is gone":              {func(w *world) { w.delete(&v1alpha1.HostedControlPlane{ObjectMeta: w.meta("control-plane")}) }, 0, 1},
		"the token has ended":             {func(w *world) { w.now, w.unconnected = w.now.Add(time.Hour), true }, 0, 1},
		"the Secret went first":           {func(w *world) { w.delete(w.secret()) }, 0, 0},
		"the Secret is of an earlier one": {func(w *world) { w.again(); w.mustPass() }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustPass()
			tc.change(w)
			w.delete(w.bootstrap())
			result := w.mustPass()
			if there := w.bootstrap() != nil; there != (tc.again > 0) || result.RequeueAfter != tc.again {
				t.Errorf("it is still there: %v, and looks again after %s; want after %s", there, result.RequeueAfter, tc.again)
			}
			if n := len(w.tokens()); n != tc.left {
				t.Errorf("the tenant has %d tokens, want %d", n, tc.left)
			}
		})
	}
}

// TestBootstrapIsInterrupted cuts each request of a life, before it is carried out and
// after: whatever was cut, one token is made and none is left.
func TestBootstrapIsInterrupted(t *testing.T) {
	for at := 1; ; at++ {
		done := 0
		for _, executed := range []bool{false, true} {
			for _, deleted := range []bool{false, true} {
				if !interrupt(t, at, executed, deleted) {
					done++
				}
			}
		}
		if done == 4 {
			if at < 8 {
				t.Errorf("only %d requests were cut", at-1)
			}
			return
		}
	}
}

// interrupt cuts the request of that number, of the creation or of the deletion, and
// reports whether there is one.
func interrupt(t *testing.T, at int, executed, deleted bool) (there bool) {
	t.Run(fmt.Sprintf("request %d, executed %v, deleted %v", at, executed, deleted), func(t *testing.T) {
		w := newWorld(t)
		if deleted {
			w.mustPass()
			w.delete(w.bootstrap())
		}
		w.cut = &apitest.Cut{At: at, Executed: executed}
		result, err := w.pass()
		if there = len(w.cut.Asked) >= at; there && err == nil {
			t.Error("the pass was cut and says nothing of it")
		}
		if err != nil && !result.IsZero() {
			t.Errorf("besides its error it asks for %+v, which is ignored and logged as a mistake", result)
		}
		w.cut = nil
		if !deleted {
			w.mustPass()
			w.wantReady("True", "AsExpected")
			tokens := w.tokens()
			if len(tokens) != 1 || string(tokens[0].Data["token-id"]) != string(w.secret().Data["token-id"]) {
				t.Errorf("the tenant has %d tokens, want one, and the machine's", len(tokens))
			}
			w.delete(w.bootstrap())
		}
		w.mustPass()
		if w.bootstrap() != nil || len(w.tokens()) > 0 {
			t.Errorf("left: %v and %d tokens", w.bootstrap(), len(w.tokens()))
		}
	})
	return there
}
