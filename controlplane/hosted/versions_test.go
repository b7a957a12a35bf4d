package hosted

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// rollingHost notes which version each component was given last.
type rollingHost struct {
	idleHost
	status map[string]component.Status
	cannot string // a version whose programs are not there
	given  map[string]string
}

func (h *rollingHost) Apply(_ context.Context, c component.Component) error {
	if c.Main.Version == h.cannot {
		return errors.New("its programs are not there")
	}
	h.given[c.Name] = c.Main.Version
	return nil
}

func (h *rollingHost) Status(_ context.Context, _, name string) (component.Status, error) {
	return h.status[name], nil
}

// No controller is ever newer than an API server that it talks to, and what has been
// given a version does not go back and forth while something else is waited for.
func TestTheOrderOfVersions(t *testing.T) {
	const (
		api, kcm, sched = "kube-apiserver", "kube-controller-manager", "kube-scheduler"
		before, after   = "1.36.4-1", "1.37.1-1"
		v36, v37        = "v1.36.4", "v1.37.1"
	)
	all := component.Status{Replicas: 3, Ready: 3, Updated: 3}
	two := component.Status{Replicas: 3, Ready: 2, Updated: 2}
	blip := component.Status{Replicas: 3, Ready: 2, Updated: 3}
	cases := map[string]struct {
		runs, asks string
		given      []string // api, kcm, sched before
		paused     bool
		status     map[string]component.Status
		cannot     string
		want       map[string]string
	}{
		"an upgrade begins with the API servers": {
			before, after, []string{before, before, before}, false,
			map[string]component.Status{api: two, kcm: all, sched: all}, "",
			map[string]string{api: v37, kcm: v36, sched: v36}},
		"then come the others": {
			before, after, []string{after, before, before}, false,
			map[string]component.Status{api: all, kcm: all, sched: all}, "",
			map[string]string{api: v37, kcm: v37, sched: v37}},
		"an API server that is not ready for a moment turns nothing back": {
			before, after, []string{after, after, after}, false,
			map[string]component.Status{api: blip, kcm: two, sched: all}, "",
			map[string]string{api: v37, kcm: v37, sched: v37}},
		"a version that cannot be run changes nothing": {
			before, after, []string{before, before, before}, false,
			map[string]component.Status{api: all, kcm: all, sched: all}, v37,
			map[string]string{api: v36, kcm: v36, sched: v36}},
		"stopped, each stays where it is": {
			before, after, []string{after, before, before}, true,
			map[string]component.Status{api: all, kcm: all, sched: all}, "",
			map[string]string{api: v37, kcm: v36, sched: v36}},
		"going back begins with the controllers": {
			before, before, []string{after, after, before}, false,
			map[string]component.Status{api: all, kcm: two, sched: all}, "",
			map[string]string{api: v37, kcm: v36, sched: v36}},
		"and with both of them": {
			before, before, []string{after, before, after}, false,
			map[string]component.Status{api: all, kcm: all, sched: two}, "",
			map[string]string{api: v37, kcm: v36, sched: v36}},
		"the API servers follow": {
			before, before, []string{after, before, before}, false,
			map[string]component.Status{api: all, kcm: all, sched: all}, "",
			map[string]string{api: v36, kcm: v36, sched: v36}},
		"going back before the controllers have begun": {
			before, before, []string{after, before, before}, false,
			map[string]component.Status{api: two, kcm: all, sched: all}, "",
			map[string]string{api: v36, kcm: v36, sched: v36}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
				if err := add(scheme); err != nil {
					t.Fatal(err)
				}
			}
			s := testScope()
			s.applied = map[string]string{}
			s.hcp.Spec.Version, s.hcp.Spec.Paused, s.hcp.Status.Version = tc.asks, tc.paused, tc.runs
			for i, name := range components {
				s.hcp.Status.Components = append(s.hcp.Status.Components, v1alpha1.ComponentStatus{Name: name, Version: tc.given[i]})
			}
			s.etcd = &v1alpha1.EtcdTenant{}
			h := &rollingHost{status: tc.status, cannot: tc.cannot, given: map[string]string{}}
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.hcp.Namespace, Name: v1alpha1.SecretEtcdClient}}
			r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(secret).Build(), Host: h}

			err := r.runAPIServer(t.Context(), s)
			if err == nil {
				err = r.runControllers(t.Context(), s)
			}
			if diff := cmp.Diff(tc.want, h.given); diff != "" {
				t.Errorf("(%v) versions (-want +given):\n%s", err, diff)
			}
		})
	}
}
