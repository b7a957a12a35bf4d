package project

import (
	"errors"
	"sync"
	"time"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// MostVisits is how many may wait for one cloud at a time. A controller that asks clouds has
// more workers than that, so that one which does not answer leaves some for the others.
const MostVisits = 16

// While a cloud does not answer it is asked again after firstSilence, then later and later up
// to lastSilence, and by one visitor at a time.
const (
	firstSilence = 5 * time.Second
	lastSilence  = time.Minute
)

// ErrBusy means that the cloud is being asked by enough others. It is no outcome: the visitor
// comes again in a moment.
var ErrBusy = errors.New("others are asking the cloud")

// ErrSilent is in the error of who is not let in because the cloud has not answered others.
var ErrSilent = errors.New("the cloud has not been asked")

// cloud is what does or does not answer: one region.
type cloud struct{ authURL, region string }

// gate lets visitors to clouds.
type gate struct {
	mu    sync.Mutex
	doors map[cloud]*door
}

// door is that of one cloud.
type door struct {
	inside int
	// turn counts answers and silences, so that what a visitor says who went in before the
	// last of them is known to be old: of those who wait together only one silence counts.
	turn int
	// silences is how often in a row it has not answered, and until is when it is asked again.
	silences int
	until    time.Time
	why      *openstack.Error
}

// Visit is one pass that may ask a cloud.
type Visit struct {
	opener *Opener
	door   *door
	turn   int
}

// Enter lets a visitor to the cloud of an Infrastructure, who has to leave again. It returns
// ErrBusy, or an error like Outcome's while the cloud does not answer.
func (o *Opener) Enter(infra *v1alpha1.Infrastructure) (*Visit, error) {
	o.gate.mu.Lock()
	defer o.gate.mu.Unlock()
	at := cloud{infra.Spec.AuthURL, infra.Spec.Region}
	d := o.gate.doors[at]
	if d == nil {
		if o.gate.doors == nil {
			o.gate.doors = map[cloud]*door{}
		}
		d = &door{}
		o.gate.doors[at] = d
	}
	if wait := d.until.Sub(o.Now()); wait > 0 {
		return nil, &reconcile.Error{Kind: reconcile.KindRetry, Reason: ReasonUnreachable, Message: d.why.Error(), After: wait, Err: ErrSilent}
	}
	if d.inside >= MostVisits || d.silences > 0 && d.inside > 0 {
		return nil, ErrBusy
	}
	d.inside++
	return &Visit{opener: o, door: d, turn: d.turn}, nil
}

// Leave ends a visit. The error is what it has come to, and asked whether the cloud was asked
// for anything.
func (v *Visit) Leave(asked bool, err error) {
	v.opener.gate.mu.Lock()
	defer v.opener.gate.mu.Unlock()
	d := v.door
	d.inside--
	switch e := openstack.As(err); {
	case e != nil && e.Silent():
		if d.turn == v.turn {
			d.turn++
			d.until = v.opener.Now().Add(min(firstSilence<<min(d.silences, 10), lastSilence))
			d.silences, d.why = d.silences+1, e
		}
	case asked || e != nil:
		d.turn++
		d.silences, d.until = 0, time.Time{}
	}
}
