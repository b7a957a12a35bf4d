package machine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// While one asks for a list, another one of the project does not wait for the answer.
func TestListIsNotWaitedFor(t *testing.T) {
	f := &feed{}
	asked, answer, done := make(chan struct{}), make(chan struct{}), make(chan error)
	ask := func(context.Context) ([]servers.Server, error) {
		close(asked)
		<-answer
		return []servers.Server{{ID: "a"}}, nil
	}
	go func() {
		_, err := f.list(t.Context(), client.ObjectKey{}, 0, time.Minute, time.Now, ask)
		done <- err
	}()
	<-asked
	second := func() (*listing, error) {
		return f.list(t.Context(), client.ObjectKey{}, 0, time.Minute, time.Now, func(context.Context) ([]servers.Server, error) {
			t.Error("it is asked twice")
			return nil, nil
		})
	}
	if l, err := second(); !errors.Is(err, project.ErrBusy) {
		t.Errorf("%+v, %v; want that somebody else is asking", l, err)
	}
	close(answer)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if l, err := second(); err != nil || l.byID["a"] == nil {
		t.Errorf("%+v, %v; want what the other one has been answered", l, err)
	}
}

// tenant is another Cluster in the cloud, in a project of its own, with one Machine that has
// asked for its server.
func (w *world) tenant(t testing.TB, number int) (namespace string) {
	t.Helper()
	p := w.AddProject(fmt.Sprintf("tenant-%d", number))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.secret.Namespace, Name: p.Name}}
	secret.Data = map[string][]byte{v1alpha1.CloudsKey: []byte(w.CloudsYAML(p))}
	w.must(t, management.Client.Create(t.Context(), secret))
	namespace = fmt.Sprintf("%s-%d", w.network.Namespace, number)
	w.must(t, management.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	n := w.network.DeepCopy()
	n.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: w.network.Name}
	n.Spec.CredentialsRef.Name = secret.Name
	status := n.Status
	status.ProjectID = p.ID
	w.must(t, management.Client.Create(t.Context(), n))
	n.Status = status
	w.must(t, management.Client.Status().Update(t.Context(), n))
	m := w.machine(t, func(m *v1alpha1.Machine) { m.Namespace = namespace })
	m.Status.ProjectID, m.Status.RequestedAt = p.ID, &metav1.Time{Time: time.Now()}
	w.must(t, management.Client.Status().Update(t.Context(), m))
	return namespace
}

// A cloud that swallows what it is asked holds up nobody in another one, however many
// Machines and projects there are in it.
func TestBlackHole(t *testing.T) {
	hole, healthy := newWorld(t), newWorld(t)
	fault := hole.Inject(front.Fault{Effect: front.Hang()})
	seen := map[string]cache.Config{hole.network.Namespace: {}, healthy.network.Namespace: {}}
	for i := range 3 * project.MostVisits {
		seen[hole.tenant(t, i)] = cache.Config{}
	}
	mgr := apitest.NewManager(t, management, cache.Options{DefaultNamespaces: seen}, 0)
	pool := &openstack.Pool{Timeout: time.Hour}
	projects := &project.Opener{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Pool: pool, Now: time.Now}
	r := &Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Projects: projects, Now: time.Now}
	if err := r.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	mgr.Run(t)
	await := func(what string, is func() bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			healthy.play(t)
			return is(), nil
		})
		if err != nil {
			t.Fatalf("%s: the Machine in the healthy cloud waits for the other one, which was asked %d times", what, fault.Hits())
		}
	}
	await("the black hole", func() bool { return fault.Hits() >= project.MostVisits })
	healthy.clock.SetTime(time.Now())
	m := healthy.machine(t)
	await("the server", func() bool {
		healthy.read(t, m)
		return m.Status.State == v1alpha1.MachineInstalling
	})
	healthy.clock.Step(30 * time.Second)
	await("the node", func() bool {
		healthy.read(t, m)
		return m.Status.State == v1alpha1.MachineReady
	})
	if n := fault.Hits(); n > project.MostVisits {
		t.Errorf("%d wait for the black hole, want at most %d", n, project.MostVisits)
	}
}
