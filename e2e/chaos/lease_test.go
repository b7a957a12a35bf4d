package chaos

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// controllers are the components that elect a leader in the cluster.
var controllers = []string{"kube-controller-manager", "kube-scheduler"}

// mayLoseLeases is said before a harm that may keep controllers from renewing their Lease.
// Who leads and cannot do so for ten seconds ends, as Kubernetes has it, and is started
// again.
func (s *scene) mayLoseLeases() {
	s.t.Helper()
	s.leases = map[string]*controllerLog{}
	for _, component := range controllers {
		for ordinal := range 3 {
			name := s.process(fmt.Sprintf("%s/%d/%s", component, ordinal, component))
			s.leases[name] = followLog(s.t, s.before[name])
		}
	}
}

// awaitLeases waits until the Leases are renewed, where they may have been lost: who could
// not do so any more has ended by then. It returns those that are others now, and checks
// that they ended for that reason and no other.
func (s *scene) awaitLeases() (replaced []string) {
	s.t.Helper()
	if s.leases == nil {
		return nil
	}
	began := time.Now()
	for _, component := range controllers {
		check(s.t, harness.Await(s.t.Context(), time.Minute, func(ctx context.Context) error {
			lease, err := s.api.CoordinationV1().Leases("kube-system").Get(ctx, component, metav1.GetOptions{})
			if err == nil && !lease.Spec.RenewTime.After(began) {
				err = fmt.Errorf("the Lease of %s was last renewed at %s, before %s", component, lease.Spec.RenewTime, began)
			}
			return err
		}))
	}
	now := shared.Processes()
	for name, log := range s.leases {
		if now[name] == s.before[name] {
			continue
		}
		replaced = append(replaced, name)
		s.t.Logf("%s was started again", name)
		// Who has just been started tells so a moment later.
		if err := harness.Await(s.t.Context(), 10*time.Second, func(context.Context) error { return lostLease(log.since(s.t)) }); err != nil {
			s.t.Errorf("%s was started again: %v", name, err)
		}
	}
	s.awaitReplaced(replaced...)
	return replaced
}

// controllerLog is the log of a controller, from some point on. Who is started again
// appends to it.
type controllerLog struct {
	file string
	from int
}

func followLog(t testing.TB, pid int) *controllerLog {
	t.Helper()
	file, err := harness.LogFile(pid)
	check(t, err)
	text, err := os.ReadFile(file)
	check(t, err)
	return &controllerLog{file, len(text)}
}

func (l *controllerLog) since(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(l.file)
	check(t, err)
	if len(text) < l.from {
		t.Fatalf("%s was put aside: it has %d bytes, and had %d", l.file, len(text), l.from)
	}
	return string(text[l.from:])
}

// What a controller says when it starts, and when it ends because it could not renew its
// Lease: "leaderelection lost/stopped", and the scheduler "Leaderelection lost".
var (
	started   = regexp.MustCompile(`(?m)^.*"Starting.* version=.*$`)
	lostWords = regexp.MustCompile(`(?i)"leaderelection lost`)
)

// lostLease is nil if a controller that was started again gives the loss of its Lease as
// the reason in its log, as often as it was.
func lostLease(log string) error {
	lives := started.Split(log, -1)
	if len(lives) == 1 {
		return fmt.Errorf("its log does not tell of a start:\n%s", tail(log))
	}
	for _, life := range lives[:len(lives)-1] {
		if !lostWords.MatchString(life) {
			return fmt.Errorf("its log does not say that it lost its Lease, but at last:\n%s", tail(life))
		}
	}
	return nil
}

// tail is the end of a log.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
