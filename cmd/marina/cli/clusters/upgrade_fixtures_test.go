package clusters

import (
	"context"
	"fmt"
	"testing"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// management is the API server of the tests of upgrades, whose rules are what two requests at
// once meet. No controller runs: tests write the status.
var management *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &management, offer, corev1.AddToScheme, v1alpha1.AddToScheme)
}

// offer publishes releases, and an infrastructure paris that offers some of them.
func offer() error {
	objects := []client.Object{&v1alpha1.Infrastructure{
		ObjectMeta: metav1.ObjectMeta{Name: "paris"},
		Spec: v1alpha1.InfrastructureSpec{
			AuthURL: "https://cloud.example.com:5000/v3", Region: "RegionOne", ExternalNetwork: "public", Flavors: []string{"b3-8"},
			CredentialsRef: v1alpha1.LocalReference{Name: "paris"},
			Releases: []v1alpha1.InfrastructureRelease{
				{Release: "1.36.4-1", Image: "a"}, {Release: "1.36.5-1", Image: "b"}, {Release: "1.36.6-1", Image: "c"},
			},
		},
	}}
	for _, name := range []string{"1.37.1-1", "1.36.5-10", "1.36.4-1", "1.36.5-1", "1.36.5-9", "1.38.0-1", "1.35.9-1"} {
		objects = append(objects, &v1alpha1.KubernetesRelease{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.KubernetesReleaseSpec{
				SupportedUntil:       "2030-01-01",
				KubeletConfiguration: runtime.RawExtension{Raw: []byte(`{"kind":"KubeletConfiguration"}`)},
			},
		})
	}
	for _, o := range objects {
		if err := management.Client.Create(context.Background(), o); err != nil {
			return err
		}
	}
	return nil
}

// project is a namespace with a cluster demo in it.
type project struct {
	client.WithWatch
	namespace string
}

// newProject has a cluster that is Active, runs 1.36.4-1, and is to run version.
func newProject(t testing.TB, version, infrastructure string) *project {
	t.Helper()
	c, err := client.NewWithWatch(management.Config, client.Options{Scheme: management.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	p := &project{WithWatch: c, namespace: namespace.Name}
	demo := &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "demo", Finalizers: []string{v1alpha1.ClusterFinalizer}},
		Spec:       v1alpha1.ClusterSpec{Version: version, InfrastructureRef: reference(infrastructure)},
	}
	if infrastructure != "" {
		demo.Spec.CredentialsRef = reference("mine")
	}
	if err := c.Create(t.Context(), demo); err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	err = p.reports(t, func(s *v1alpha1.ClusterStatus) {
		s.Phase, s.Version, s.ReadySince = v1alpha1.ClusterActive, "1.36.4-1", &now
		s.Accepted = &v1alpha1.AcceptedSpec{Version: version, Generation: 1}
	})(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *project) demo(t testing.TB) *v1alpha1.Cluster {
	t.Helper()
	demo := &v1alpha1.Cluster{}
	if err := p.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: "demo"}, demo); err != nil {
		t.Fatal(err)
	}
	return demo
}

// reports is a controller that changes the status once for each state, of the spec as it is then.
func (p *project) reports(t testing.TB, states ...func(*v1alpha1.ClusterStatus)) clitest.Change {
	return func(client.Client) error {
		for _, state := range states {
			demo := p.demo(t)
			state(&demo.Status)
			demo.Status.ObservedGeneration = demo.Generation
			for i := range demo.Status.Conditions {
				demo.Status.Conditions[i].ObservedGeneration = demo.Generation
			}
			if err := p.Status().Update(t.Context(), demo); err != nil {
				return err
			}
		}
		return nil
	}
}

// asks is somebody else who sets spec.version.
func (p *project) asks(t testing.TB, version string) clitest.Change {
	return func(client.Client) error {
		patch := fmt.Appendf(nil, `{"spec":{"version":%q}}`, version)
		return p.Patch(t.Context(), p.demo(t), client.RawPatch("application/merge-patch+json", patch))
	}
}

// run runs a command line of 'marina cluster' through c, while whose watches things happen.
func (p *project) run(t testing.TB, c client.WithWatch, onWatch []clitest.Change, args ...string) (out, errOut string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "marina"}
	root.AddCommand(Commands(clitest.Open(&session.Session{
		Client: clitest.Play(c, onWatch...), Config: management.Config, Namespace: p.namespace,
	}))...)
	return clitest.Execute(t.Context(), root, args...)
}
