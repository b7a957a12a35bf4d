package local

import (
	"crypto/tls"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/marina-dev/marina/controlplane/component"
)

const testBalancer = testNamespace + "/kube-apiserver/balancer"

// balancedAddress is where a component is reached whichever replica serves.
func balancedAddress(t testing.TB, h *Host, c component.Component) string {
	t.Helper()
	return reserve(t, h, c).Exposed["https"].String()
}

func TestTheBalancerGoesAroundAReplicaThatDies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	c.Balanced = []component.Balanced{{Port: "https"}}
	applied(t, h, c)
	balanced := balancedAddress(t, h, c)
	waitFor(t, is("the balancer serves"), func() bool { _, err := get(balanced, "/pid"); return err == nil })

	before := f.pids(t)
	kill(t, before[testNamespace+"/kube-apiserver/1/kube-apiserver"], syscall.SIGKILL)
	waitStatus(t, h, c, "replica 1 is not ready", func(s component.Status) bool {
		return slices.Equal(s.ReadyOrdinals, []int{0, 2})
	})
	for range 6 {
		if _, err := get(balanced, "/pid"); err != nil {
			t.Errorf("a request while one of three replicas is down: %v", err)
		}
	}
	waitDone(t, h, c)
	if got := f.pids(t)[testBalancer]; got != before[testBalancer] {
		t.Errorf("the balancer has pid %d, want %d", got, before[testBalancer])
	}
}

func TestADeadBalancerIsStartedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	c.Balanced = []component.Balanced{{Port: "https"}}
	applied(t, h, c)
	before := f.pids(t)
	kill(t, before[testBalancer], syscall.SIGKILL)
	waitFor(t, is("another balancer runs"), func() bool {
		pid := f.pids(t)[testBalancer]
		return pid != 0 && pid != before[testBalancer]
	})
	balanced := balancedAddress(t, h, c)
	waitFor(t, is("it serves at the same address"), func() bool { _, err := get(balanced, "/pid"); return err == nil })
	const replica = testNamespace + "/kube-apiserver/0/kube-apiserver"
	if got := f.pids(t)[replica]; got != before[replica] {
		t.Errorf("the replica has pid %d, want %d: it has nothing to do with it", got, before[replica])
	}
}

func TestAHeldReplicaLosesItsConnections(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	c.Balanced = []component.Balanced{{Port: "https"}}
	applied(t, h, c)
	balanced := balancedAddress(t, h, c)
	waitFor(t, is("the balancer serves"), func() bool { _, err := get(balanced, "/pid"); return err == nil })
	conn, err := tls.Dial("tcp", balanced, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// It neither answers nor closes anything.
	kill(t, f.pids(t)[testNamespace+"/kube-apiserver/0/kube-apiserver"], syscall.SIGSTOP)
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("reading from a replica that is held: %v, want the connection to be closed", err)
	}
	// Delete has to cope with it as well.
	deleteAndWait(t, h, c)
	nothingIsLeft(t, f, h)
}
