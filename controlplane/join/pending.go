package join

import "time"

const (
	// firstRecheck is how soon a request that waits is looked at again, and lastRecheck
	// how seldom in the end: upstream removes it after a day.
	firstRecheck = 500 * time.Millisecond
	lastRecheck  = time.Minute
	// maxPending bounds what one tenant can make us remember.
	maxPending = 1000
)

// pending are the names of requests that must be looked at again, and when. Only names:
// a tenant decides how large its requests are.
type pending struct {
	byName map[string]*recheck
	// missed is true when there was no room for one: only a new list finds it again.
	missed bool
}

type recheck struct {
	at    time.Time
	delay time.Duration
}

func newPending() pending { return pending{byName: map[string]*recheck{}} }

// add has a request looked at now, unless it is known.
func (p *pending) add(name string, now time.Time) {
	switch {
	case p.byName[name] != nil:
	case len(p.byName) < maxPending:
		p.byName[name] = &recheck{at: now}
	default:
		p.missed = true
	}
}

// postpone has a request looked at later, each time twice as late as before.
func (p *pending) postpone(name string, now time.Time) {
	p.add(name, now)
	if r := p.byName[name]; r != nil {
		r.delay = min(max(2*r.delay, firstRecheck), lastRecheck)
		r.at = now.Add(r.delay)
	}
}

func (p *pending) remove(name string) { delete(p.byName, name) }

// next is when the first one is due.
func (p *pending) next() (at time.Time, some bool) {
	_, at, some = p.first()
	return at, some
}

// due is the first one, if its time has come.
func (p *pending) due(now time.Time) (name string, due bool) {
	name, at, some := p.first()
	return name, some && !at.After(now)
}

func (p *pending) first() (name string, at time.Time, some bool) {
	for n, r := range p.byName {
		if !some || r.at.Before(at) || (r.at.Equal(at) && n < name) {
			name, at, some = n, r.at, true
		}
	}
	return name, at, some
}
