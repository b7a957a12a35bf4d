package hosted

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/controlplane/addon"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// registrySecret is a Secret for images in marina-system.
func registrySecret(name, content string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: named(v1alpha1.SystemNamespace, name), Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(content)},
	}
}

func TestThePullSecretOfAddons(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	opaque := &corev1.Secret{ObjectMeta: named(v1alpha1.SystemNamespace, "opaque")}
	plane := func(namespace, secret string) *v1alpha1.HostedControlPlane {
		hcp := &v1alpha1.HostedControlPlane{ObjectMeta: named(namespace, "control-plane")}
		hcp.Spec.Addons.ImagePullSecret = secret
		// That of the platform is none of the tenants' business.
		hcp.Spec.ImagePullSecret = "pull"
		return hcp
	}
	r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		registrySecret("readers", "{}"), registrySecret("pull", "theirs"), opaque, plane("one", "readers"), plane("two", ""), plane("three", "opaque"),
	).Build()}
	for name, tc := range map[string]struct {
		names, want string
		missing     bool
	}{
		"none is named":          {},
		"the one that is named":  {names: "readers", want: "{}"},
		"there is none":          {names: "lost", missing: true},
		"it is of another type":  {names: "opaque", missing: true},
		"the platform's, if so ": {names: "pull", want: "theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.addonPullSecret(t.Context(), plane("one", tc.names))
			if string(got) != tc.want || (err != nil) != tc.missing {
				t.Fatalf("%q, %v; want %q", got, err, tc.want)
			}
			if e := reconcile.As(err); err != nil && (e.Reason != "ImagePullSecretMissing" || !strings.Contains(e.Message, "marina.dev/shard: default")) {
				t.Errorf("%v, want what to do", err)
			}
		})
	}
	requests := r.usersOfPullSecret(t.Context(), registrySecret("readers", ""))
	if len(requests) != 1 || requests[0].Namespace != "one" {
		t.Errorf("a change of the Secret wakes %v, want the control plane that uses it", requests)
	}
	if requests := r.usersOfPullSecret(t.Context(), opaque); len(requests) != 0 {
		t.Errorf("another Secret wakes %v", requests)
	}
}

// The tenant has what the platform has now: another password, put back when it was
// changed, and nothing once it is not named any more.
func TestThePullSecretIsKept(t *testing.T) {
	in := newInTenant(t)
	live := &corev1.Secret{ObjectMeta: named("kube-system", "marina-image-pull")}
	content := func() string {
		t.Helper()
		if err := in.client.Get(t.Context(), client.ObjectKeyFromObject(live), live); apierrors.IsNotFound(err) {
			return "gone"
		} else if err != nil {
			t.Fatal(err)
		}
		return string(live.Data[corev1.DockerConfigJsonKey])
	}
	for _, password := range []string{`{"auths":{"a":{}}}`, `{"auths":{"b":{}}}`} {
		in.apply(tenantSet(t, "203.0.113.7:8132", func(i *addon.Inputs) { i.PullSecret = []byte(password) }), true)
		if got := content(); got != password {
			t.Errorf("the tenant has %s, want %s", got, password)
		}
	}
	in.as(live, func() { live.Data[corev1.DockerConfigJsonKey] = []byte("{}") })
	if !in.looks() {
		t.Error("that it was changed is not noticed")
	}
	in.apply(tenantSet(t, "203.0.113.7:8132"), true)
	if got := content(); got != "gone" {
		t.Errorf("the tenant has %s, want nothing", got)
	}
}
