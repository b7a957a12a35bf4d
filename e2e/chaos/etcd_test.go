package chaos

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestEtcdFollowerKilled(t *testing.T) {
	s := begin(t)
	_, others := harness.EtcdLeader(t, shared)
	s.killMember(others[0])
}

func TestEtcdLeaderKilled(t *testing.T) {
	s := begin(t)
	leader, _ := harness.EtcdLeader(t, shared)
	s.killMember(leader)
	// It is back so soon that it may have won the election.
	if now, _ := harness.EtcdLeader(t, shared); now.Term <= leader.Term {
		t.Errorf("term %d, and %d before: want an election, or it was not the leader that was killed", now.Term, leader.Term)
	}
}

// killMember kills a member, which is replaced at once: who asks the members how they are
// waits for the election that goes on, and then all of them are there again. What
// conditions say of a member that stays away the tests show that hold one.
func (s *scene) killMember(member harness.EtcdMember) {
	s.t.Helper()
	s.prober.Mark()
	harness.Kill(s.t, member.PID)
	s.end(begun(5*time.Second), member.Process)
}

// memberName is what conditions call a member.
func memberName(member harness.EtcdMember) string {
	return "etcd-default-" + strings.Split(member.Process, "/")[2]
}

// Two members are held: what is left cannot decide anything.
func TestEtcdQuorumHeld(t *testing.T) {
	s := begin(t)
	leader, others := harness.EtcdLeader(t, shared)
	lost := []harness.EtcdMember{leader, others[0]}
	s.mayLoseLeases()
	s.prober.Mark()
	for _, member := range lost {
		harness.Hold(t, member.PID)
	}
	s.withoutQuorum(lost)
	for _, member := range lost {
		harness.Resume(t, member.PID)
	}
	s.quorumBack()
}

// Two members are killed, and cannot start again because somebody has taken their
// ports.
func TestEtcdQuorumKilled(t *testing.T) {
	s := begin(t)
	leader, others := harness.EtcdLeader(t, shared)
	lost := []harness.EtcdMember{leader, others[0]}
	var addresses, refused []string
	for _, member := range lost {
		address := peerAddress(t, member)
		addresses = append(addresses, address)
		_, port, err := net.SplitHostPort(address)
		check(t, err)
		refused = append(refused, "port "+port+" (peer) is in use by another program")
	}
	s.mayLoseLeases()
	s.prober.Mark()
	// Marina starts members again at once: it stands still until they cannot.
	harness.Hold(t, shared.PID())
	var squatters []net.Listener
	for i, member := range lost {
		harness.Kill(t, member.PID)
		squatters = append(squatters, squat(t, addresses[i]))
	}
	harness.Resume(t, shared.PID())
	s.awaitEtcd(v1alpha1.ConditionAvailable, metav1.ConditionFalse, refused...)
	s.withoutQuorum(lost)
	for _, squatter := range squatters {
		check(t, squatter.Close())
	}
	s.quorumBack(leader.Process, others[0].Process)
}

// withoutQuorum checks what is to be seen while etcd has none.
func (s *scene) withoutQuorum(lost []harness.EtcdMember) {
	s.t.Helper()
	s.awaitEtcd(v1alpha1.ConditionReady, metav1.ConditionFalse, "NoQuorum", memberName(lost[0]), memberName(lost[1]))
	s.awaitCluster(v1alpha1.ConditionEtcdReady, metav1.ConditionFalse, "EtcdCluster default", "NoQuorum")
	s.awaitCluster(v1alpha1.ConditionReady, metav1.ConditionFalse)
	check(s.t, harness.AwaitPhase(s.t.Context(), shared, steady, v1alpha1.ClusterDegraded))
	// From here on nothing may be confirmed.
	told := time.Now()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(context.Context) error {
		failed := 0
		for _, request := range s.prober.Report().Failed() {
			if request.Start.After(told) {
				failed++
			}
		}
		if failed < 4 {
			return fmt.Errorf("%d requests have failed since the conditions told that etcd has no quorum", failed)
		}
		return nil
	}))
	if n := s.prober.Report().Succeeded(told); n > 0 {
		s.t.Errorf("%d requests were confirmed while etcd had no quorum", n)
	}
}

// quorumBack checks that all is well again.
func (s *scene) quorumBack(replaced ...string) {
	s.t.Helper()
	back := time.Now()
	s.awaitAnswers(1)
	s.t.Logf("answered again after %.1f s", time.Since(back).Seconds())
	s.awaitWell()
	s.t.Logf("all is well after %.1f s", time.Since(back).Seconds())
	s.end(known(time.Minute), replaced...)
}

// peerAddress is the address that a member listens on for the other members.
func peerAddress(t *testing.T, member harness.EtcdMember) string {
	t.Helper()
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", member.PID))
	check(t, err)
	for _, arg := range strings.Split(string(cmdline), "\x00") {
		if raw, ok := strings.CutPrefix(arg, "--listen-peer-urls="); ok {
			u, err := url.Parse(raw)
			check(t, err)
			return u.Host
		}
	}
	t.Fatalf("process %d listens for no members", member.PID)
	return ""
}

// squat takes an address as soon as its owner has let go of it, and hangs up on
// whoever comes.
func squat(t *testing.T, address string) net.Listener {
	t.Helper()
	var listener net.Listener
	check(t, harness.Await(t.Context(), 10*time.Second, func(context.Context) (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	}))
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return listener
}
