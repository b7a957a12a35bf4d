package machine

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Of two Clusters in a project, what is wrong with the credentials of one is neither told to
// the other nor in its way.
func TestSharedProject(t *testing.T) {
	w := newWorld(t)
	secret := w.secret.DeepCopy()
	secret.ObjectMeta = metav1.ObjectMeta{Namespace: w.secret.Namespace, Name: "revoked"}
	secret.Data[v1alpha1.CloudsKey] = []byte(strings.ReplaceAll(w.CloudsYAML(w.project), w.project.Password, "another password"))
	w.must(t, management.Client.Create(t.Context(), secret))
	namespace := w.network.Namespace + "-2"
	w.must(t, management.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	other := w.network.DeepCopy()
	other.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: w.network.Name}
	other.Spec.CredentialsRef.Name = "revoked"
	status := other.Status
	w.must(t, management.Client.Create(t.Context(), other))
	other.Status = status
	w.must(t, management.Client.Status().Update(t.Context(), other))
	lost := func(m *v1alpha1.Machine) {
		m.Namespace = namespace
		m.Status.ServerID = "00000000-7a52-4d9b-9f0c-3b8f2f9a0009"
	}
	theirs := w.machine(t, lost)
	theirs.Status.ProjectID, theirs.Status.ServerID = w.project.ID, "00000000-7a52-4d9b-9f0c-3b8f2f9a0009"
	w.must(t, management.Client.Status().Update(t.Context(), theirs))
	ours := w.machine(t)
	w.machines = nil
	for range 5 {
		for _, m := range []*v1alpha1.Machine{theirs, ours} {
			_, err := w.pass(t, m)
			w.must(t, err)
		}
		w.machines = []*v1alpha1.Machine{ours}
		w.play(t)
		w.clock.Step(10 * time.Second)
	}
	w.is(t, theirs, "ServerReady", "False", "Unauthorized", "/revoked: ")
	if ours.Status.ServerID == "" || strings.Contains(ours.Status.Message, "revoked") {
		t.Errorf("it has the server %q: %s", ours.Status.ServerID, ours.Status.Message)
	}
}

// A server that is made after the answer was lost is waited for, and no other is asked for.
func TestLateServer(t *testing.T) {
	w := newWorld(t)
	m := w.machine(t)
	fault := w.Inject(front.Fault{Match: post, Effect: front.Fail(504), Times: 1})
	w.settle(t, "the request", time.Second, func() bool { return fault.Hits() > 0 })
	w.rounds(t, 40*time.Second, 5*time.Second)
	w.theirs(t, m.Name, metadataOf(m))
	w.ready(t)
	if n := w.Count(post); n != 2 {
		t.Errorf("servers were asked for %d times, want once, and the late one", n)
	}
	w.holds(t, map[string]int{"server": 1, "port": 1})
	w.dismissed(t)
}
