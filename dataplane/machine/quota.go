package machine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// quotaInterval is how often the numbers of a quota are read that was exhausted. Where they do
// not tell which one it is, a server is asked for instead, up to lastQuota apart.
const quotaInterval, lastQuota = time.Minute, 5 * time.Minute

// errNoNumbers says that the cloud answers, and does not tell.
var errNoNumbers = errors.New("the cloud does not tell the numbers of the quota")

// numbers are the quotas of a project as they were, for all Machines that wait for them.
type numbers struct {
	at time.Time
	limits.Absolute
}

// awaitQuota has a Machine that the quota had no room for wait until it has. Numbers cost
// less than asking for a server, and are read for all Machines in the project at once.
func (r *Reconciler) awaitQuota(ctx context.Context, s *scope) error {
	c := meta.FindStatusCondition(s.machine.Status.Conditions, v1alpha1.ConditionServerReady)
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason != string(openstack.Quota) {
		return nil
	}
	n, err := r.numbers(ctx, s, r.Now().Add(-quotaInterval))
	if errors.Is(err, errNoNumbers) {
		return nil // Nova says so when it is asked for the server
	}
	if err != nil {
		return err
	}
	return s.short(n, r.Now(), nil)
}

// short is the error of a Machine that numbers leave no room for; nil if they do.
func (s *scope) short(n *numbers, now time.Time, err error) error {
	words := exhausted(n.Absolute, int(s.flavor.VCPUs), int(s.flavor.MemoryMiB))
	if len(words) == 0 {
		return nil
	}
	return &reconcile.Error{Kind: reconcile.KindUser, Reason: string(openstack.Quota), After: max(time.Second, n.at.Add(quotaInterval).Sub(now)), Err: err,
		Message: fmt.Sprintf("the quota of the project %s is exhausted: %s: have it raised, or delete what is not needed any more", s.network.Status.ProjectID, strings.Join(words, "; "))}
}

// numbers are those of the project, read after a time.
func (r *Reconciler) numbers(ctx context.Context, s *scope, after time.Time) (*numbers, error) {
	if n := s.feed.quota(); n != nil && n.at.After(after) {
		return n, nil
	}
	if !s.feed.asking.TryLock() {
		return nil, project.ErrBusy
	}
	defer s.feed.asking.Unlock()
	if err := r.open(ctx, s); err != nil {
		return nil, err
	}
	n := &numbers{at: r.Now()}
	var err error
	if n.Absolute, err = s.compute.limits(ctx); err != nil {
		if e := openstack.As(openstack.Classify(openstack.Compute, err)); e != nil && e.Silent() {
			return nil, s.project.Outcome(err, "reading the quota")
		}
		return nil, errNoNumbers
	}
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.numbers = n
	return n, nil
}

func (f *feed) quota() *numbers {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.numbers
}

// overQuota is why Nova has refused a server. Without the numbers its own words tell which
// quota it is. Those that were read before say enough if they leave no room; others may have
// taken it since.
func (r *Reconciler) overQuota(ctx context.Context, s *scope, err error) error {
	now := r.Now()
	if n := s.feed.quota(); n != nil && now.Sub(n.at) < quotaInterval {
		if e := s.short(n, now, err); e != nil {
			return e
		}
	}
	if n, asked := r.numbers(ctx, s, now); asked == nil {
		if e := s.short(n, now, err); e != nil {
			return e
		}
	}
	e := *reconcile.As(s.project.Outcome(err, "asking for the server"))
	e.After = r.quotaBackOff(s)
	return &e
}

// quotaBackOff is when a server is asked for again that is refused for a quota whose numbers
// are not known: of ports, or of volumes.
func (r *Reconciler) quotaBackOff(s *scope) time.Duration {
	times := r.memory.of(s.machine).refusals
	r.memory.set(s.machine, func(l *look) { l.refusals++ })
	return min(quotaInterval<<min(times, 10), lastQuota)
}
