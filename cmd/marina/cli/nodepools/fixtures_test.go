package nodepools

import (
	"testing"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// management is the API server of all tests. No controller runs: tests write the status.
var management *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &management, nil, corev1.AddToScheme, v1alpha1.AddToScheme)
}

// project is a namespace with a cluster demo in it.
type project struct {
	client.WithWatch
	namespace string
}

func newProject(t testing.TB) *project {
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
	p.add(t, &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Name: "demo"},
		Spec:       v1alpha1.ClusterSpec{Version: "1.37.1-1", HostingClassRef: v1alpha1.LocalReference{Name: "default"}},
	})
	return p
}

func (p *project) add(t testing.TB, o client.Object) {
	t.Helper()
	o.SetNamespace(p.namespace)
	if err := p.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// addPool makes a pool of three nodes.
func (p *project) addPool(t testing.TB, name, cluster string, remove ...string) {
	t.Helper()
	p.add(t, &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{v1alpha1.NodePoolFinalizer}},
		Spec: v1alpha1.NodePoolSpec{
			ClusterRef: v1alpha1.LocalReference{Name: cluster}, Flavor: "b3-8", Replicas: new(int32(3)), NodesToRemove: remove,
		},
	})
}

func (p *project) pool(t testing.TB, name string) *v1alpha1.NodePool {
	t.Helper()
	pool := &v1alpha1.NodePool{}
	if err := p.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: name}, pool); err != nil {
		t.Fatal(err)
	}
	return pool
}

// reports is a controller that writes one status after the other, all of the spec as it
// is then.
func (p *project) reports(t testing.TB, name string, states ...v1alpha1.NodePoolStatus) clitest.Change {
	return func(client.Client) error {
		for _, status := range states {
			pool := p.pool(t, name)
			status.ObservedGeneration = pool.Generation
			pool.Status = status
			if err := p.Status().Update(t.Context(), pool); err != nil {
				return err
			}
		}
		return nil
	}
}

// releases is a controller that lets a pool go, which must have been deleted.
func (p *project) releases(t testing.TB, name string) clitest.Change {
	return func(client.Client) error {
		pool := p.pool(t, name)
		if pool.DeletionTimestamp == nil {
			t.Errorf("%s is waited for and was not deleted", name)
		}
		pool.Finalizers = nil
		return p.Update(t.Context(), pool)
	}
}

// run runs a command line of 'marina nodepool', while whose watches things happen.
func (p *project) run(t testing.TB, onWatch []clitest.Change, args ...string) (out, errOut string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "marina"}
	root.AddCommand(Commands(clitest.Open(&session.Session{
		Client: clitest.Play(p, onWatch...), Config: management.Config, Namespace: p.namespace,
	}))...)
	return clitest.Execute(t.Context(), root, args...)
}
