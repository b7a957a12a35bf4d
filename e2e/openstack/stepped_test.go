package openstack

import (
	"context"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// stepped are controllers that are called one after the other, on a clock that is put forward:
// for what waits for minutes, and for stopping them at a point.
type stepped struct {
	*world
	apitest.Killable
	// all are the controllers.
	all *controllers
	// ahead is how far the clock is before the real one.
	ahead time.Duration
}

// stepped makes them, and has them look at the Infrastructure.
func (w *world) stepped() *stepped {
	w.Helper()
	s := &stepped{world: w}
	s.restart()
	s.inspect()
	return s
}

// restart makes new ones. Those before have ended.
func (s *stepped) restart() {
	s.Helper()
	c := s.Restart(management)
	s.all = s.controllers(s.manager(), c, c, s.now)
}

func (s *stepped) now() time.Time { return time.Now().Add(s.ahead) }

// inspect looks at the Infrastructure.
func (s *stepped) inspect() {
	s.Helper()
	if _, err := s.all.infrastructure.Reconcile(s.Context(), request(s.infra)); err != nil {
		s.Fatal(err)
	}
	s.read(s.infra)
}

func request(o client.Object) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(o)}
}

// round is a pass over each object, with a turn of the control plane. Then the clock is put
// forward to when the first of them is to be looked at again.
func (s *stepped) round() {
	s.Helper()
	again := s.step
	pass := func(r reconcile.Reconciler, o client.Object) {
		// What a pass could not do it says in the status, or does the next time.
		result, err := r.Reconcile(s.Context(), request(o))
		switch {
		case err != nil:
			again = min(again, time.Second)
		case result.RequeueAfter > 0:
			again = min(again, result.RequeueAfter)
		}
	}
	pass(s.all.network, s.network)
	var pools v1alpha1.NodePoolList
	check(s, management.Client.List(s.Context(), &pools, client.InNamespace(s.cluster.Namespace)))
	for i := range pools.Items {
		pass(s.all.nodepool, &pools.Items[i])
	}
	for _, m := range s.machines() {
		pass(s.all.machine, &m)
	}
	s.play()
	if s.Dead.Load() {
		s.restart()
	}
	s.ahead += again
}

// until makes rounds until something is so.
func (s *stepped) until(what string, is func() error) {
	s.Helper()
	err := harness.AwaitEvery(s.Context(), s.pace, s.limit, func(context.Context) error {
		s.round()
		return is()
	})
	if err != nil {
		s.Fatalf("%s: %v%s", what, err, s.state())
	}
}

// dissolve deletes all that is left of the Cluster.
func (w *world) dissolve() {
	w.Helper()
	w.wire.cutBy(nil)
	var pools v1alpha1.NodePoolList
	check(w, management.Client.List(w.Context(), &pools, client.InNamespace(w.cluster.Namespace)))
	if !w.read(w.network) && len(pools.Items) == 0 {
		return
	}
	s := w.stepped()
	var all []client.Object
	for i := range pools.Items {
		all = append(all, &pools.Items[i])
		w.dismiss(&pools.Items[i])
	}
	s.until("the end of the pools", w.gone(all...))
	w.dismiss(w.cluster)
	w.dismiss(w.network)
	s.until("the end of the network", w.gone(w.network))
}

// rounds is so after a number of them.
func rounds(n int) func() error {
	return func() error {
		if n--; n >= 0 {
			return fmt.Errorf("%d rounds to go", n)
		}
		return nil
	}
}
