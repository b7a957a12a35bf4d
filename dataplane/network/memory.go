package network

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// memory is when each network is to be looked at again. Events come more often than that,
// those of a controller's own writes among them, and each look costs requests to a cloud. It
// is not kept beyond the process: a new one looks at everything once.
type memory struct {
	mu    sync.Mutex
	looks map[types.NamespacedName]look
}

// look is the last one at a network.
type look struct {
	// at is what was looked at; with something else it is not too early.
	at string
	// due is when to look again.
	due time.Time
	// failures is how often in a row the cloud could not be asked.
	failures int
}

// at tells what is looked at from what it was.
func at(s *scope) string {
	n := s.network
	key := fmt.Sprintf("%s %d %t", n.UID, n.Generation, n.DeletionTimestamp != nil)
	if s.infra != nil {
		key += fmt.Sprintf(" %s %d %s", s.infra.UID, s.infra.Generation, s.infra.Status.ExternalNetworkID)
	}
	return key
}

// wait is how long it is still too early to look; zero if it is not.
func (m *memory) wait(s *scope, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.looks[client.ObjectKeyFromObject(s.network)]
	if last.at != at(s) {
		return 0
	}
	return max(0, last.due.Sub(now))
}

// remember writes down what a pass has come to, and returns when to look again.
func (m *memory) remember(s *scope, e *reconcile.Error, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := client.ObjectKeyFromObject(s.network)
	next := look{at: at(s)}
	again := interval
	switch {
	case e == nil:
	case e.Kind == reconcile.KindRetry:
		next.failures = m.looks[key].failures + 1
		again = max(e.After, min(firstRetry<<min(next.failures-1, 10), lastRetry))
	default:
		if again = e.After; again == 0 {
			again = project.ProblemInterval
		}
	}
	next.due = now.Add(again)
	if m.looks == nil {
		m.looks = map[types.NamespacedName]look{}
	}
	m.looks[key] = next
	return again
}

func (m *memory) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.looks, key)
}
