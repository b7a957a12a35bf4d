package clusters

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// cluster is a cluster in a phase, with a Ready condition that says message.
func cluster(name string, phase v1alpha1.ClusterPhase, ready metav1.ConditionStatus, message string) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Generation: 1},
		Spec:       v1alpha1.ClusterSpec{Version: "1.37.1-1"},
		Status: v1alpha1.ClusterStatus{
			Phase:              phase,
			ObservedGeneration: 1,
			Conditions: []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: ready, Reason: "Because", Message: message, ObservedGeneration: 1,
			}},
		},
	}
}

// deleted gives a cluster the mark of a deletion, and what keeps it there.
func deleted(c *v1alpha1.Cluster) *v1alpha1.Cluster {
	now := metav1.Now()
	c.DeletionTimestamp = &now
	c.Finalizers = []string{v1alpha1.ClusterFinalizer}
	return c
}

func release(name string) client.Object {
	return &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// api is a management cluster. Each time that somebody watches it, the next of
// onWatch happens: a test needs no timing to change things under a command's eyes.
type api struct {
	client.WithWatch
	onWatch []func(client.Client) error
}

func newAPI(t testing.TB, objects []client.Object, onWatch ...func(client.Client) error) *api {
	t.Helper()
	a := &api{onWatch: onWatch}
	a.WithWatch = fake.NewClientBuilder().
		WithScheme(session.Scheme).
		WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Cluster{}).
		WithIndex(&v1alpha1.Cluster{}, metav1.ObjectNameField, func(o client.Object) []string { return []string{o.GetName()} }).
		WithInterceptorFuncs(interceptor.Funcs{Watch: a.watch}).
		Build()
	return a
}

func (a *api) watch(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	w, err := c.Watch(ctx, list, opts...)
	if err != nil {
		return nil, err
	}
	if len(a.onWatch) == 0 {
		return nil, errors.New("nothing more happens in this test")
	}
	next := a.onWatch[0]
	a.onWatch = a.onWatch[1:]
	if err := next(c); err != nil {
		w.Stop()
		return nil, err
	}
	context.AfterFunc(ctx, w.Stop) // as a connection does
	return w, nil
}

// becomes changes the status of a cluster to those of states, one after the other.
func becomes(t testing.TB, states ...*v1alpha1.Cluster) func(client.Client) error {
	return func(c client.Client) error {
		for _, state := range states {
			live := &v1alpha1.Cluster{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(state), live); err != nil {
				return err
			}
			live.Status = state.Status
			if err := c.Status().Update(t.Context(), live); err != nil {
				return err
			}
		}
		return nil
	}
}

// run runs a command line of 'marina cluster' and returns what it wrote.
func run(t testing.TB, ctx context.Context, a client.WithWatch, args ...string) (out, errOut string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "marina", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(func(*cobra.Command) (*session.Session, error) {
		return &session.Session{Client: a, Namespace: "default"}, nil
	})...)
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs(args)
	err = root.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}
