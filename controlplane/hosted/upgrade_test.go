package hosted

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	// asked is what each component is to run, and replicas what they run.
	asked    map[string]string
	replicas map[string][]string
	// broken is what never becomes ready.
	broken string
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
		if runs == h.broken {
			s.Message = "unknown flag"
		} else {
			s.Ready++
		}
	}
	return s, nil
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
	s.hcp, s.now, s.applied, s.status = u.hcp.DeepCopy(), u.now, map[string]setting{}, map[string]component.Status{}
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
		if sick := slices.Index(list, u.broken); sick >= 0 {
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

// Rule 12: API servers first, one at a time (rule 17), then the controllers; so it is once more
// when they cease to behave as the older version. What is killed anywhere goes on.
func TestRule12APIServersGoFirstWhereverItIsKilled(t *testing.T) {
	first := newRise(t)
	first.ask(toVersion)
	passes := first.settle(0)
	const o, e, n = "v1.36.4", "v1.37.1 as 1.36", "v1.37.1"
	state := func(api1, api2, api3, c1, c2, c3 string) string {
		return fmt.Sprint([]string{api1, api2, api3}, []string{c1, c2, c3})
	}
	want := []string{
		state(o, o, o, o, o, o), state(e, o, o, o, o, o), state(e, e, o, o, o, o), state(e, e, e, o, o, o),
		state(e, e, e, e, o, o), state(e, e, e, e, e, o), state(e, e, e, e, e, e),
		state(n, e, e, e, e, e), state(n, n, e, e, e, e), state(n, n, n, e, e, e),
		state(n, n, n, n, e, e), state(n, n, n, n, n, e), state(n, n, n, n, n, n),
	}
	if diff := cmp.Diff(want, first.seen); diff != "" {
		t.Errorf("the replicas went another way (-want +got):\n%s", diff)
	}
	for killed := range passes + 1 {
		u := newRise(t)
		u.ask(toVersion)
		u.settle(killed)
		if status := u.hcp.Status; status.Version != toVersion || status.Committed != "" || u.condition(v1alpha1.ConditionUpToDate).Status != metav1.ConditionTrue {
			t.Errorf("killed at pass %d it ends at %s (committed %q): %+v", killed, status.Version, status.Committed, u.condition(v1alpha1.ConditionUpToDate))
		}
	}
}

// Going back is safe until the first API server ceases to emulate, and refused from then on.
func TestRule13NoWayBackOnceAnAPIServerCeasesToEmulate(t *testing.T) {
	returned, refused := 0, 0
	for until := 1; ; until++ {
		u := newRise(t)
		u.ask(toVersion)
		for range until {
			u.pass(false)
			u.replace()
		}
		if u.hcp.Status.Version == toVersion {
			break
		}
		committed := u.hcp.Status.Committed != ""
		u.ask(fromVersion)
		u.settle(0)
		accepted := u.condition(v1alpha1.ConditionSpecAccepted)
		switch ended := u.replicas[component.NameAPIServer]; {
		case !committed && (accepted.Status != metav1.ConditionTrue || !slices.Equal(ended, []string{"v1.36.4", "v1.36.4", "v1.36.4"})):
			t.Errorf("after %d passes it does not go back: %v, %+v", until, ended, accepted)
		case committed && (accepted.Status != metav1.ConditionFalse || !strings.Contains(accepted.Message, "set spec.version to "+toVersion) || slices.Contains(ended, "v1.36.4")):
			t.Errorf("after %d passes it is to be refused with what to do: %v, %+v", until, ended, accepted)
		case committed:
			refused++
			u.ask(toVersion)
			u.settle(0)
			if u.hcp.Status.Version != toVersion {
				t.Errorf("after %d passes it does not go on: %+v", until, u.hcp.Status)
			}
		default:
			returned++
		}
	}
	if returned < 5 || refused < 5 {
		t.Errorf("it went back %d times and was refused %d times: the test saw too little", returned, refused)
	}
}

// Rule 14: another build of the same Kubernetes is a roll of its own, and emulates nothing.
func TestRule14AnotherBuildIsOneRollWithoutEmulation(t *testing.T) {
	u := newRise(t)
	u.ask("1.36.4-10")
	u.settle(0)
	if u.hcp.Status.Version != "1.36.4-10" || slices.ContainsFunc(u.seen, func(s string) bool { return strings.Contains(s, "as") }) {
		t.Errorf("it ends at %s after %q", u.hcp.Status.Version, u.seen)
	}
	u.ask("1.36.4-9")
	u.settle(0)
	if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionFalse || u.hcp.Status.Version != "1.36.4-10" {
		t.Errorf("-9 is older than -10: %+v", c)
	}
}

// Rule 17: one that does not become ready stops the roll, the others serve, and it is told what
// to do; mended it goes on by itself, and so it goes back.
func TestRule17AReplicaThatDoesNotBecomeReadyStopsTheRoll(t *testing.T) {
	for _, broken := range order[1:] {
		u := newRise(t)
		u.broken = broken
		u.ask(toVersion)
		u.settle(0)
		if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue {
			t.Errorf("%s: a replica may take its time: %+v", broken, c)
		}
		u.now = u.now.Add(5 * time.Minute)
		u.settle(0)
		c, api := u.condition(v1alpha1.ConditionSpecAccepted), u.replicas[component.NameAPIServer]
		if c.Status != metav1.ConditionFalse || c.Reason != "RolloutStuck" || !strings.Contains(c.Message, "unknown flag") || !strings.Contains(c.Message, "back") {
			t.Errorf("%s: after five minutes a person is to be told why and what to do: %+v", broken, c)
		}
		if n := len(slices.DeleteFunc(slices.Clone(api), func(s string) bool { return s == broken })); n != 2 {
			t.Errorf("%s: %d of the API servers %q serve, want 2", broken, n, api)
		}
		if u.condition(v1alpha1.ConditionReady).Status != metav1.ConditionTrue {
			t.Errorf("%s: the others serve: %+v", broken, u.condition(v1alpha1.ConditionReady))
		}
		if broken == "v1.37.1 as 1.36" {
			u.ask(fromVersion)
			u.settle(0)
			if !slices.Equal(u.replicas[component.NameAPIServer], []string{"v1.36.4", "v1.36.4", "v1.36.4"}) || u.condition(v1alpha1.ConditionSpecAccepted).Status != metav1.ConditionTrue {
				t.Errorf("it does not go back: %v, %+v", u.replicas, u.condition(v1alpha1.ConditionSpecAccepted))
			}
			continue
		}
		u.broken = ""
		u.settle(0)
		if u.hcp.Status.Version != toVersion || u.condition(v1alpha1.ConditionSpecAccepted).Status != metav1.ConditionTrue {
			t.Errorf("%s: mended it does not go on: %+v", broken, u.hcp.Status)
		}
	}
}
