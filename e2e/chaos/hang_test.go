package chaos

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestAPIServerHangs(t *testing.T) {
	s := begin(t)
	victim := s.before[s.process("kube-apiserver/1/kube-apiserver")]
	s.prober.Mark()
	marked := time.Now()
	harness.Hold(t, victim)
	s.awaitCluster(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "kube-apiserver-1")
	held := time.Since(marked)
	harness.Resume(t, victim)
	// The balancer looks as Marina does. On a machine on which that notices later, it does, too.
	s.end(known(max(3*time.Second, min(held, 10*time.Second))))
}

func TestEtcdFollowerHangs(t *testing.T) {
	s := begin(t)
	_, others := harness.EtcdLeader(t, shared)
	s.holdMember(others[0])
}

func TestEtcdLeaderHangs(t *testing.T) {
	s := begin(t)
	leader, _ := harness.EtcdLeader(t, shared)
	s.holdMember(leader)
}

// holdMember holds a member until that is noticed. Meanwhile each API server still
// sends it a third of its requests to etcd: its client gives up a silent connection
// after 40 s only, and has no flag for that. The other requests go on, but for the
// time of an election, which may take more than one attempt. What was sent to a leader
// that was held may fail after it goes on: the member that leads now has never heard of it.
// If that happens to a controller for ten seconds, it loses its Lease.
func (s *scene) holdMember(member harness.EtcdMember) {
	s.t.Helper()
	s.mayLoseLeases()
	s.prober.Mark()
	marked := time.Now()
	harness.Hold(s.t, member.PID)
	s.awaitEtcd(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "MembersMissing", memberName(member))
	s.awaitAnswers(10)
	harness.Resume(s.t, member.PID)
	held := time.Since(marked)
	s.t.Logf("the member was held for %s", held)
	s.end(begun(held + time.Second))
	if gap := s.prober.Report().LongestGap(); gap > 10*time.Second {
		s.t.Errorf("no request succeeded for %s: want the two other members to serve", gap)
	}
}
