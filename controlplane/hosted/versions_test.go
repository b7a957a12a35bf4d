package hosted

import (
	"context"
	"errors"
	"strings"
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

// rollingHost notes what each component was given last.
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
	h.given[c.Name] = runsWhat(c)
	return nil
}

// runsWhat is what replicas of a component run: "v1.37.1 as 1.36".
func runsWhat(c component.Component) string {
	for _, arg := range c.Main.Args {
		if emulated, ok := strings.CutPrefix(arg, "--emulated-version="); ok {
			return c.Main.Version + " as " + emulated
		}
	}
	return c.Main.Version
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
		patch           = "1.36.4-2"
		emulating       = after + " as 1.36"
		v36, v37        = "v1.36.4", "v1.37.1"
		v37as36         = "v1.37.1 as 1.36"
	)
	all := component.Status{Replicas: 3, Ready: 3, Updated: 3}
	two := component.Status{Replicas: 3, Ready: 2, Updated: 2}
	blip := component.Status{Replicas: 3, Ready: 2, Updated: 3}
	everything := map[string]component.Status{api: all, kcm: all, sched: all}
	cases := map[string]struct {
		runs, asks, committed string
		given                 []string // api, kcm, sched before
		paused                bool
		status                map[string]component.Status
		cannot                string
		want                  []string
	}{
		"an upgrade begins with the API servers": {before, after, "", []string{before, before, before}, false,
			map[string]component.Status{api: two, kcm: all, sched: all}, "", []string{v37as36, v36, v36}},
		"then come the others": {before, after, "", []string{emulating, before, before}, false,
			everything, "", []string{v37as36, v37as36, v37as36}},
		"an API server that is not ready for a moment turns nothing back": {before, after, "", []string{emulating, emulating, emulating}, false,
			map[string]component.Status{api: blip, kcm: two, sched: all}, "", []string{v37as36, v37as36, v37as36}},
		"a version that cannot be run changes nothing": {before, after, "", []string{before, before, before}, false,
			everything, v37, []string{v36, v36, v36}},
		"stopped, each stays where it is": {before, after, "", []string{emulating, before, before}, true,
			everything, "", []string{v37as36, v36, v36}},
		"stopped, nothing ceases to emulate": {before, after, "", []string{emulating, emulating, emulating}, true,
			everything, "", []string{v37as36, v37as36, v37as36}},
		"what is committed begins with the API servers": {before, after, after, []string{emulating, emulating, emulating}, false,
			map[string]component.Status{api: two, kcm: all, sched: all}, "", []string{v37, v37as36, v37as36}},
		"then the others cease to emulate": {before, after, after, []string{after, emulating, emulating}, false,
			everything, "", []string{v37, v37, v37}},
		"what is committed cannot be stopped": {before, after, after, []string{emulating, emulating, emulating}, true,
			everything, "", []string{v37, v37, v37}},
		"what is committed does not go back": {before, before, after, []string{after, emulating, emulating}, false,
			everything, "", []string{v37, v37as36, v37as36}},
		"what is done does not go back": {after, before, "", []string{after, after, after}, false,
			everything, "", []string{v37, v37, v37}},
		"another build emulates nothing": {before, patch, "", []string{before, before, before}, false,
			map[string]component.Status{api: two, kcm: all, sched: all}, "", []string{v36, v36, v36}},
		"going back begins with the controllers": {before, before, "", []string{emulating, emulating, before}, false,
			map[string]component.Status{api: all, kcm: two, sched: all}, "", []string{v37as36, v36, v36}},
		"and with both of them": {before, before, "", []string{emulating, before, emulating}, false,
			map[string]component.Status{api: all, kcm: all, sched: two}, "", []string{v37as36, v36, v36}},
		"the API servers follow": {before, before, "", []string{emulating, before, before}, false,
			everything, "", []string{v36, v36, v36}},
		"going back before the controllers have begun": {before, before, "", []string{emulating, before, before}, false,
			map[string]component.Status{api: two, kcm: all, sched: all}, "", []string{v36, v36, v36}},
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
			s.applied = map[string]setting{}
			s.hcp.Spec.Version, s.hcp.Spec.Paused, s.hcp.Status.Version, s.hcp.Status.Committed = tc.asks, tc.paused, tc.runs, tc.committed
			want := map[string]string{}
			for i, name := range components {
				version, emulates, _ := strings.Cut(tc.given[i], " as ")
				s.hcp.Status.Components = append(s.hcp.Status.Components, v1alpha1.ComponentStatus{Name: name, Version: version, Emulates: emulates})
				want[name] = tc.want[i]
			}
			s.etcd = &v1alpha1.EtcdTenant{}
			h := &rollingHost{status: tc.status, cannot: tc.cannot, given: map[string]string{}}
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.hcp.Namespace, Name: v1alpha1.SecretEtcdClient}}
			r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(secret).Build(), Host: h}

			err := r.runAPIServer(t.Context(), s)
			if err == nil {
				err = r.runControllers(t.Context(), s)
			}
			if diff := cmp.Diff(want, h.given); diff != "" {
				t.Errorf("(%v) versions (-want +given):\n%s", err, diff)
			}
		})
	}
}
