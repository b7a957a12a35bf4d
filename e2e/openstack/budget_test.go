package openstack

import "testing"

// Ten nodes at once take at most four requests each, until all are Ready.
func TestRequests(t *testing.T) {
	const nodes = 10
	w := newWorld(t)
	w.run()
	p := w.pool("web", 0)
	w.await("a pool without nodes", w.settled(p, 0))
	w.wire.reset()
	w.scale(p, nodes)
	w.await("ten nodes", w.settled(p, nodes))
	calls := w.wire.work()
	t.Logf("%.1f requests for each node: %v", float64(len(calls))/nodes, calls)
	if len(calls) > 4*nodes {
		t.Errorf("%d requests for %d nodes, want at most 4 for each", len(calls), nodes)
	}
	if n := w.wire.done("POST /servers"); n != nodes {
		t.Errorf("%d servers were made, want %d", n, nodes)
	}
}
