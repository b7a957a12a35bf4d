package hosted

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const fromVersion, toVersion = "1.36.4-1", "1.37.1-1"

// rise is a control plane whose version changes, on a host that replaces one replica of each
// component at a time.
type rise struct {
	testing.TB
	hcp *v1alpha1.HostedControlPlane
	now time.Time
	// awake is when Marina was started; long ago if it is zero.
	awake time.Time
	// asked is what each component is to run, and replicas what they run.
	asked    map[string]string
	replicas map[string][]string
	// broken is what never becomes ready, of one component or, if that is empty, of all.
	broken, brokenIn string
	// seen are the different states of all replicas, in their order.
	seen []string
}

func newRise(t testing.TB) *rise {
	u := &rise{TB: t, hcp: testScope().hcp, now: noon, asked: map[string]string{}, replicas: map[string][]string{}}
	u.hcp.Spec.Version = fromVersion
	for range 3 {
		u.pass(false)
		for _, name := range components {
			u.replicas[name] = []string{u.asked[name], u.asked[name], u.asked[name]}
		}
	}
	if u.hcp.Status.Version != fromVersion {
		t.Fatalf("it begins with %q: %+v", u.hcp.Status.Version, u.hcp.Status)
	}
	return u
}

// riseHost is the host of a rise.
type riseHost struct {
	idleHost
	*rise
}

func (h riseHost) Apply(_ context.Context, c component.Component) error {
	h.asked[c.Name] = runsWhat(c)
	return nil
}

func (h riseHost) Status(_ context.Context, _, name string) (component.Status, error) {
	s := component.Status{Replicas: 3}
	for _, runs := range h.replicas[name] {
		if runs == h.asked[name] {
			s.Updated++
		}
		if runs == h.brokenOf(name) {
			s.Message = "unknown flag"
		} else {
			s.Ready++
		}
	}
	return s, nil
}

// brokenOf is what never becomes ready of a component.
func (u *rise) brokenOf(name string) string {
	if u.brokenIn != "" && u.brokenIn != name {
		return ""
	}
	return u.broken
}

// pass is one pass over the control plane. If it is killed, what it did on the host is done
// and nobody has written it down.
func (u *rise) pass(killed bool) {
	u.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			u.Fatal(err)
		}
	}
	s := testScope()
	s.hcp, s.now, s.awake, s.applied, s.status = u.hcp.DeepCopy(), u.now, u.awake, map[string]setting{}, map[string]component.Status{}
	s.etcd = &v1alpha1.EtcdTenant{Status: v1alpha1.EtcdTenantStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected"},
	}}}
	s.facts.addons = "applied"
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.hcp.Namespace, Name: v1alpha1.SecretEtcdClient}}
	r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(secret).Build(), Host: riseHost{rise: u}}
	err := r.runAPIServer(u.Context(), s)
	if err == nil {
		err = r.runControllers(u.Context(), s)
	}
	r.observe(u.Context(), s)
	writeStatus(s.hcp, s, err)
	if !killed {
		u.hcp = s.hcp
	}
}

// replace replaces a replica of each component in which all are ready, and reports whether
// there was one.
func (u *rise) replace() (busy bool) {
	for _, name := range components {
		list := u.replicas[name]
		outdated := slices.IndexFunc(list, func(runs string) bool { return runs != u.asked[name] })
		if sick := slices.Index(list, u.brokenOf(name)); sick >= 0 {
			// One that is not ready is the first to be replaced.
			outdated = sick
			if list[sick] == u.asked[name] {
				continue
			}
		}
		if outdated >= 0 {
			list[outdated], busy = u.asked[name], true
		}
	}
	return busy
}

// settle lets passes and the host take turns until nothing changes. The pass of that number is
// killed.
func (u *rise) settle(killed int) (passes int) {
	u.Helper()
	for quiet := 0; quiet < 3; quiet++ {
		before := u.hcp.DeepCopy()
		u.now = u.now.Add(time.Second)
		passes++
		u.pass(passes == killed)
		u.check()
		if u.replace() || !cmp.Equal(before.Status, u.hcp.Status) || passes == killed {
			quiet = 0
		}
		if passes > 200 {
			u.Fatal("it never comes to rest")
		}
	}
	return passes
}

// order is what may be older than what: what replicas run, from the oldest on.
var order = []string{"v1.36.4", "v1.37.1 as 1.36", "v1.37.1"}

// check checks what holds at any time: no controller is newer than any API server, in what it
// is and in what it behaves as.
func (u *rise) check() {
	u.Helper()
	rank := func(runs string) int { return slices.Index(order, runs) }
	oldest := slices.MinFunc(u.replicas[component.NameAPIServer], func(a, b string) int { return rank(a) - rank(b) })
	for _, name := range controllers {
		for _, runs := range append(u.replicas[name], u.asked[name]) {
			if rank(runs) > rank(oldest) {
				u.Fatalf("a %s is (or is to be) %s while an API server is %s", name, runs, oldest)
			}
		}
	}
	if slices.Contains(u.replicas[component.NameAPIServer], "v1.37.1") && u.hcp.Status.Version == fromVersion && u.hcp.Status.Committed == "" {
		u.Fatalf("an API server has ceased to emulate, and that there is no way back is written nowhere")
	}
	if state := fmt.Sprint(u.replicas[component.NameAPIServer], u.replicas[component.NameScheduler]); len(u.seen) == 0 || u.seen[len(u.seen)-1] != state {
		u.seen = append(u.seen, state)
	}
}

func (u *rise) ask(version string) {
	u.hcp.Spec.Version = version
	u.hcp.Generation++
}

func (u *rise) condition(name string) metav1.Condition {
	return *meta.FindStatusCondition(u.hcp.Status.Conditions, name)
}
