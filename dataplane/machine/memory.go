package machine

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// memory is when the server of each Machine is to be looked at again. Events come more often
// than that, and each look may cost a request to a cloud. It is not kept beyond the process:
// a new one looks at everything once.
type memory struct {
	mu    sync.Mutex
	looks map[types.NamespacedName]look
}

// look is the last one at a server.
type look struct {
	// uid and deleting are of the Machine; with something else it is not too early.
	uid      types.UID
	deleting bool
	// mark is that of the last request that changed something: lists that began before it do
	// not count.
	mark int
	// due is when to look again, and why what the last look came to.
	due time.Time
	why error
	// failures is how often in a row the cloud could not be asked for something.
	failures int
	// refusals is how often in a row the quota had no room, and no number told of which.
	refusals int
	// stage is that of a rebuild when it was last looked, see stage.
	stage string
	// floating is the server that has been seen with its floating IP, and address is that.
	floating, address string
}

func (m *memory) of(machine *v1alpha1.Machine) look {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := m.looks[client.ObjectKeyFromObject(machine)]; last.uid == machine.UID {
		return last
	}
	return look{uid: machine.UID}
}

func (m *memory) set(machine *v1alpha1.Machine, change func(*look)) {
	next := m.of(machine)
	change(&next)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.looks == nil {
		m.looks = map[types.NamespacedName]look{}
	}
	m.looks[client.ObjectKeyFromObject(machine)] = next
}

// early is how long it is still too early to look, and what the last look came to.
func (m *memory) early(machine *v1alpha1.Machine, now time.Time) (error, time.Duration) { //nolint:staticcheck // the error is what is remembered
	last := m.of(machine)
	if last.deleting != (machine.DeletionTimestamp != nil) {
		return nil, 0
	}
	return last.why, max(0, last.due.Sub(now))
}

// remember writes down what a look has come to, and returns when to look again. What waits
// for an event, and has no time, is looked at when that comes.
func (m *memory) remember(machine *v1alpha1.Machine, e *reconcile.Error, again time.Duration, now time.Time) time.Duration {
	m.set(machine, func(l *look) {
		l.deleting, l.why = machine.DeletionTimestamp != nil, nil
		failures := l.failures
		l.failures = 0
		if e != nil {
			again = e.After
			if e.Kind == reconcile.KindRetry && e.Reason == project.ReasonUnreachable {
				l.failures = failures + 1
				again = max(again, min(firstRetry<<min(failures, 10), lastRetry))
			}
			l.why = e
		}
		l.due = now.Add(again)
	})
	return again
}

func (m *memory) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.looks, key)
}
