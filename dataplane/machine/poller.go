package machine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// busyInterval is how old a list of servers may be while something happens to a server,
	// and calmInterval, while nothing does.
	busyInterval, calmInterval = 5 * time.Second, time.Minute
	// firstRetry is when a cloud that does not answer is asked again for the first time; it
	// doubles up to lastRetry.
	firstRetry, lastRetry = 5 * time.Second, 5 * time.Minute
	// busyAgain is when somebody comes again who was not to wait for others.
	busyAgain = time.Second
	// personInterval is how often it is looked again while a person is to change something that
	// nobody tells of: a Secret, or a role. It costs reading the Secret: credentials that the
	// cloud has refused are not tried again before they are others.
	personInterval = 30 * time.Second
	// unused is how long the list of a project is kept that nobody asks for.
	unused = time.Hour
)

// place is a project in a region of a cloud.
type place struct{ authURL, region, project string }

func placeOf(infra *v1alpha1.Infrastructure, project string) place {
	return place{authURL: infra.Spec.AuthURL, region: infra.Spec.Region, project: project}
}

// poller has one list of servers for each project, for all Machines in it: one of them asks,
// and those that come meanwhile come again. None of them waits, as the workers are there for
// the Machines of all clouds.
type poller struct {
	mu    sync.Mutex
	feeds map[place]*feed
}

// feed is the list of one project.
type feed struct {
	// asking is held while the cloud is asked for what all share. Nobody waits for it.
	asking sync.Mutex

	mu     sync.Mutex
	used   time.Time
	begun  int
	latest *listing
	// failed is why the cloud could not be asked: of all, with the zero key, or of those with
	// the same credentials. What is wrong with the ones of one Cluster is no matter for
	// another Cluster in the project.
	failed map[client.ObjectKey]failing
	// numbers are the project's quotas, once somebody had no room in them.
	numbers *numbers
	// resyncs are the marks of Resyncs, see markOf.
	resyncs map[string]int
}

// failing is why the cloud could not be asked, and until when nobody tries again.
type failing struct {
	why   *reconcile.Error
	until time.Time
	times int
}

// listing is a list of all servers of a project.
type listing struct {
	// number counts the lists of the project, and began is when it was asked for. A list
	// tells of everything that was done before it began.
	number int
	began  time.Time

	all       []servers.Server
	byID      map[string]*servers.Server
	byMachine map[string][]*servers.Server
}

func newListing(number int, began time.Time, all []servers.Server) *listing {
	l := &listing{number: number, began: began, all: all, byID: map[string]*servers.Server{}, byMachine: map[string][]*servers.Server{}}
	for i := range all {
		l.byID[all[i].ID] = &all[i]
		if uid := all[i].Metadata[keyMachine]; uid != "" {
			l.byMachine[uid] = append(l.byMachine[uid], &all[i])
		}
	}
	return l
}

func (p *poller) feed(at place, now time.Time) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, f := range p.feeds {
		if f.idle(now) {
			delete(p.feeds, other)
		}
	}
	if p.feeds == nil {
		p.feeds = map[place]*feed{}
	}
	f := p.feeds[at]
	if f == nil {
		f = &feed{}
		p.feeds[at] = f
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used = now
	return f
}

func (f *feed) idle(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return now.Sub(f.used) > unused
}

// mark is what the number of a list has to be above that is to tell of all that was done
// until now.
func (f *feed) mark() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.begun
}

// fresh is the newest list, if it is above the mark and younger than a time; nil if not.
func (f *feed) fresh(mark int, within time.Duration, now time.Time) *listing {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.latest; l != nil && l.number > mark && now.Sub(l.began) < within {
		return l
	}
	return nil
}

// list is such a list, which is asked for with credentials if there is none. While somebody
// else asks it is project.ErrBusy, and while the cloud cannot be asked, all are told so by
// whoever has tried last.
func (f *feed) list(ctx context.Context, credentials client.ObjectKey, mark int, within time.Duration, now func() time.Time, ask func(context.Context) ([]servers.Server, error)) (*listing, error) {
	if !f.asking.TryLock() {
		return nil, project.ErrBusy
	}
	defer f.asking.Unlock()
	if l := f.fresh(mark, within, now()); l != nil {
		return l, nil
	}
	if err := f.failing(credentials, now()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.begun++
	number, began := f.begun, now()
	f.mu.Unlock()
	all, err := ask(ctx)
	if err != nil {
		return nil, f.fail(credentials, err, now())
	}
	l := newListing(number, began, all)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = l
	delete(f.failed, client.ObjectKey{})
	delete(f.failed, credentials)
	return l, nil
}

// soon is when it is looked again at what a person is to change.
func soon(after time.Duration) time.Duration {
	if after == 0 {
		return personInterval
	}
	return min(after, personInterval)
}

// failing is why the cloud is not asked at this moment.
func (f *feed) failing(credentials client.ObjectKey, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, of := range []client.ObjectKey{{}, credentials} {
		if last, ok := f.failed[of]; ok && now.Before(last.until) {
			why := *last.why
			why.After = last.until.Sub(now)
			return &why
		}
	}
	return nil
}

// fail remembers why the cloud could not be asked, for all that will ask, or that will with
// the same credentials. An error that is not of the cloud is nobody else's, and who was not
// let in to ask it has nothing to tell.
func (f *feed) fail(credentials client.ObjectKey, err error, now time.Time) error {
	e := unreachable(err)
	if e == nil || errors.Is(err, project.ErrSilent) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.Kind == reconcile.KindRetry {
		credentials = client.ObjectKey{}
	}
	times, why := f.failed[credentials].times+1, *e
	if e.Kind == reconcile.KindUser {
		why.After = soon(e.After)
	} else {
		why.After = max(e.After, min(firstRetry<<min(times-1, 10), lastRetry))
	}
	if f.failed == nil {
		f.failed = map[client.ObjectKey]failing{}
	}
	f.failed[credentials] = failing{why: &why, until: now.Add(why.After), times: times}
	return &why
}
