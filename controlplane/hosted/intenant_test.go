package hosted

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/controlplane/addon"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
	"github.com/marina-dev/marina/pkg/pki"
)

// inTenant is a tenant's API server, of the newest minor, with what Marina applies.
type inTenant struct {
	testing.TB
	client client.WithWatch
	set    addon.Set
	keeper *keeper
	// asked is how often the keeper asked for a pass, and requests what it sent.
	asked    int
	requests []string
}

// shared is the one API server of all tests that need one; each applies what it needs.
var shared struct {
	once   sync.Once
	env    *envtest.Environment
	client client.WithWatch
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.env != nil {
		if err := shared.env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func startShared() error {
	env, err := apitest.Environment(apitest.Newest)
	if err != nil {
		return err
	}
	shared.env = env
	// As tenants have it: Marina writes these endpoints.
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", testNetwork.ServiceCIDR).Set("endpoint-reconciler-type", "none")
	config, err := env.Start()
	if err != nil {
		return err
	}
	shared.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme.Scheme, Mapper: tenantKinds()})
	return err
}

func newInTenant(t testing.TB) *inTenant {
	t.Helper()
	shared.once.Do(func() { shared.err = startShared() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	in := &inTenant{TB: t, client: shared.client}
	in.keeper = newKeeper(interceptor.NewClient(shared.client, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			options := &client.ListOptions{}
			options.ApplyOptions(opts)
			in.requests = append(in.requests, fmt.Sprintf("list %T %s from %s", list, list.GetObjectKind().GroupVersionKind().Kind, options.Raw.ResourceVersion))
			// The cache that a list of version 0 is answered from may be behind the test.
			options.Raw = nil
			return c.List(ctx, list, options)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			in.requests = append(in.requests, "get "+key.Name)
			return c.Get(ctx, key, obj, opts...)
		},
	}), logr.Discard(), func() { in.asked++ })
	set := tenantSet(t, "203.0.113.7:8132")
	// What is the tenant's is as an earlier test has left it.
	for _, object := range set.EnsureExists {
		if err := client.IgnoreNotFound(in.client.Delete(t.Context(), object.DeepCopyObject().(client.Object))); err != nil {
			t.Fatal(err)
		}
	}
	in.apply(set, false)
	return in
}

var (
	testNetwork = v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"}
	testCA, _   = pki.NewCA("kubernetes", noon, 0)
)

// tenantSet is that of a shipped release, with everything or without agents.
func tenantSet(t testing.TB, konnectivity string, changes ...func(*addon.Inputs)) addon.Set {
	t.Helper()
	data, err := os.ReadFile("../../manifests/releases/1.37.1-1.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var release v1alpha1.KubernetesRelease
	if err := yaml.Unmarshal(data, &release); err != nil {
		t.Fatal(err)
	}
	inputs := addon.Inputs{
		KubernetesVersion: "v1.37.1", Server: "https://203.0.113.7:6443", CACert: testCA.CertPEM, Konnectivity: konnectivity,
		Network:              testNetwork,
		Versions:             release.Spec.Addons,
		KubeletConfiguration: release.Spec.KubeletConfiguration,
	}
	for _, change := range changes {
		change(&inputs)
	}
	set, err := addon.Compute(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// apply applies as a pass does.
func (in *inTenant) apply(set addon.Set, before bool) string {
	in.Helper()
	kept, err := applySet(in.Context(), in.client, set, before)
	if err != nil {
		in.Fatal(err)
	}
	in.set = set
	in.keeper.applied(set, kept)
	return kept
}

// versions are the resource versions of everything that is applied.
func (in *inTenant) versions() map[string]string {
	in.Helper()
	found := map[string]string{}
	for _, object := range slices.Concat(in.set.Reconcile, in.set.EnsureExists) {
		live := &metav1.PartialObjectMetadata{}
		live.SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
		if err := in.client.Get(in.Context(), client.ObjectKeyFromObject(object), live); err != nil {
			in.Fatal(err)
		}
		found[live.Kind+" "+live.Name] = live.ResourceVersion
	}
	return found
}

// looks reports whether a look asks for a pass.
func (in *inTenant) looks() bool {
	in.Helper()
	in.asked = 0
	in.keeper.look(in.Context())
	return in.asked > 0
}

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// as writes as somebody else does.
func (in *inTenant) as(object client.Object, change func()) {
	in.Helper()
	if err := in.client.Get(in.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		in.Fatal(err)
	}
	change()
	if err := in.client.Update(in.Context(), object, client.FieldOwner("kubectl-edit")); err != nil {
		in.Fatal(err)
	}
}

func (in *inTenant) remove(object client.Object) {
	in.Helper()
	if err := in.client.Delete(in.Context(), object); err != nil {
		in.Fatal(err)
	}
}
