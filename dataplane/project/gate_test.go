package project

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// gates is an Opener on a clock of the test's.
type gates struct {
	testing.TB
	*Opener
	now   time.Time
	infra *v1alpha1.Infrastructure
}

func newGates(t testing.TB) *gates {
	g := &gates{TB: t, now: time.Unix(1000, 0), infra: &v1alpha1.Infrastructure{Spec: v1alpha1.InfrastructureSpec{AuthURL: "a", Region: "r"}}}
	g.Opener = &Opener{Now: func() time.Time { return g.now }}
	return g
}

func (g *gates) enter() *Visit {
	g.Helper()
	v, err := g.Enter(g.infra)
	if err != nil {
		g.Fatal(err)
	}
	return v
}

// refused is for how long nobody is let in.
func (g *gates) refused() time.Duration {
	g.Helper()
	v, err := g.Enter(g.infra)
	if err == nil {
		v.Leave(false, nil)
		return 0
	}
	e := reconcile.As(err)
	if e.Kind != reconcile.KindRetry || e.Reason != ReasonUnreachable || e.Message != "compute: it does not answer" || !errors.Is(err, ErrSilent) {
		g.Errorf("refused with %+v", e)
	}
	return e.After
}

var (
	errSilence = fmt.Errorf("listing servers: %w", &openstack.Error{Kind: openstack.Unavailable, Service: "compute", Message: "it does not answer"})
	errFailure = &openstack.Error{Kind: openstack.Unavailable, Service: "compute", Status: 500}
)

// A cloud that does not answer is asked again later and later, by one at a time, until it
// does.
func TestSilence(t *testing.T) {
	g := newGates(t)
	var got []time.Duration
	for range 6 {
		g.enter().Leave(true, errSilence)
		got = append(got, g.refused())
		g.now = g.now.Add(g.refused())
	}
	want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	one := g.enter()
	if _, err := g.Enter(g.infra); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one is told %v, want that others are asking", err)
	}
	other := g.infra.DeepCopy()
	other.Spec.Region = "s"
	if _, err := g.Enter(other); err != nil {
		t.Errorf("in another cloud: %v", err)
	}
	one.Leave(false, errors.New("the Secret is missing"))
	one = g.enter()
	if _, err := g.Enter(g.infra); !errors.Is(err, ErrBusy) {
		t.Error("who has not asked the cloud says nothing of it")
	}
	one.Leave(false, errFailure)
	g.enter()
	g.enter() // an answer is an answer
}

// Of those who wait together one silence counts, and none when somebody was answered
// meanwhile. There are no more of them than leave others their turn.
func TestVisitors(t *testing.T) {
	g := newGates(t)
	var all []*Visit
	for range MostVisits {
		all = append(all, g.enter())
	}
	if _, err := g.Enter(g.infra); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many is told %v", err)
	}
	all[0].Leave(true, nil)
	for _, v := range all[1:] {
		v.Leave(true, errSilence)
	}
	if wait := g.refused(); wait > 0 {
		t.Errorf("nobody asks for %s, although somebody was answered", wait)
	}
	all = []*Visit{g.enter(), g.enter(), g.enter()}
	for _, v := range all {
		v.Leave(true, errSilence)
	}
	if wait := g.refused(); wait != 5*time.Second {
		t.Errorf("nobody asks for %s after three at once were not answered, want 5 s", wait)
	}
}
