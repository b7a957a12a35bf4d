package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// scene is one case: the steady cluster under a prober's eyes.
type scene struct {
	t         *testing.T
	namespace string
	api       kubernetes.Interface
	config    *rest.Config
	prober    *harness.Prober
	// ofCluster is what the conditions have said since the scene began.
	ofCluster *history
	// before are the processes before the harm.
	before map[string]int
	// management is true when the processes of the management plane, which has its
	// etcd in "marina up", may be others afterwards.
	management bool
	// leases are the logs of the controllers that may be others afterwards because they
	// could not renew their Lease.
	leases map[string]*controllerLog
}

// begin waits until all is well, and until the prober has seen so.
func begin(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t}
	s.awaitWell()
	c, err := harness.GetCluster(t.Context(), shared, steady)
	check(t, err)
	s.namespace = cluster.NamespaceName(c)
	s.ofCluster = s.follow(c)
	s.api, s.config = harness.TenantClient(t, shared, steady)
	s.before = shared.Processes()
	s.prober = harness.StartProber(t, s.config)
	s.awaitAnswers(10)
	return s
}

// awaitWell waits until every replica and every member is ready.
func (s *scene) awaitWell() {
	s.t.Helper()
	check(s.t, harness.AwaitAvailable(s.t.Context(), shared, steady))
	for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAvailable} {
		s.awaitEtcd(condition, metav1.ConditionTrue)
	}
}

// awaitAnswers waits for that many successes of requests that begin from now on.
func (s *scene) awaitAnswers(count int) {
	s.t.Helper()
	now := time.Now()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(context.Context) error {
		if n := s.prober.Report().Succeeded(now); n < count {
			return fmt.Errorf("%d requests were answered, want %d", n, count)
		}
		return nil
	}))
}

// process is the full name of a process of the steady cluster.
func (s *scene) process(name string) string {
	s.t.Helper()
	name = s.namespace + "/" + name
	if s.before[name] == 0 {
		s.t.Fatalf("there is no process %s among %v", name, s.before)
	}
	return name
}

// awaitCluster waits for a condition of the steady cluster whose reason and message
// say all the words. It is for what stays so: what may pass is in the history.
func (s *scene) awaitCluster(conditionType string, want metav1.ConditionStatus, words ...string) {
	s.t.Helper()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(ctx context.Context) error {
		c, err := harness.GetCluster(ctx, shared, steady)
		return errors.Join(err, says(c.Status.Conditions, conditionType, want, words))
	}))
}

// awaitEtcd is awaitCluster, of the EtcdCluster.
func (s *scene) awaitEtcd(conditionType string, want metav1.ConditionStatus, words ...string) {
	s.t.Helper()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(ctx context.Context) error {
		etcd := &v1alpha1.EtcdCluster{}
		err := shared.Client.Get(ctx, client.ObjectKey{Name: "default"}, etcd)
		return errors.Join(err, says(etcd.Status.Conditions, conditionType, want, words))
	}))
}

func says(conditions []metav1.Condition, conditionType string, want metav1.ConditionStatus, words []string) error {
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil || c.Status != want {
		return fmt.Errorf("condition %s is %v, want it to be %s", conditionType, c, want)
	}
	for _, word := range words {
		if !strings.Contains(c.Reason+": "+c.Message, word) {
			return fmt.Errorf("condition %s is %s because %q (%s), which does not say %q", conditionType, c.Status, c.Message, c.Reason, word)
		}
	}
	return nil
}

// awaitReplaced waits until each of the processes runs again, as another one.
func (s *scene) awaitReplaced(names ...string) {
	s.t.Helper()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(context.Context) error {
		now := shared.Processes()
		for _, name := range names {
			if now[name] == 0 || now[name] == s.before[name] {
				return fmt.Errorf("%s is process %d, and was %d", name, now[name], s.before[name])
			}
		}
		return nil
	}))
}

// end waits until all is well again, with these processes replaced and all others as
// they were, and checks what the prober has seen: what is promised of failures, and
// nothing lost that was confirmed.
func (s *scene) end(promised func(harness.Report) error, replaced ...string) {
	s.t.Helper()
	s.awaitReplaced(replaced...)
	replaced = append(replaced, s.awaitLeases()...)
	s.awaitWell()
	s.awaitAnswers(20)
	report := s.prober.Stop()
	s.t.Logf("%s: %s", s.t.Name(), report)
	if err := promised(report); err != nil {
		s.t.Error(err)
	}
	lost, err := report.Lost(s.t.Context(), s.api)
	check(s.t, err)
	if len(lost) > 0 {
		s.t.Errorf("confirmed and not there any more: %v", lost)
	}
	want, got := map[string][]int{}, shared.AllProcesses()
	for name, pid := range s.before {
		want[name] = []int{pid}
		if slices.Contains(replaced, name) && len(got[name]) == 1 {
			want[name] = got[name]
		}
	}
	for name := range got {
		if s.management && strings.HasPrefix(name, "management/") {
			delete(want, name)
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("the processes are not as they were, but for %v:\n%s", replaced, diff)
	}
}

// What is promised of failures.
var (
	none = func(r harness.Report) error { return r.Within(0) }
	// known: clients know within that time after the harm, and may try again.
	known = func(limit time.Duration) func(harness.Report) error {
		return func(r harness.Report) error { return r.Within(limit) }
	}
	// begun: what is asked for later succeeds. What was asked for before may fail as
	// late as its own time-out.
	begun = func(limit time.Duration) func(harness.Report) error {
		return func(r harness.Report) error { return r.BegunWithin(limit) }
	}
)
