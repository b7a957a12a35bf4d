//go:build kind

package kind

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// disturbance is something that happens to a cluster while it is asked.
type disturbance struct {
	name string
	do   func(t *testing.T, s *tenant, mark func())
	// allowed tells which requests may fail; nil is none at all.
	allowed func(harness.Report) error
	// tunnelsAllowed is the same for what goes through Konnectivity.
	tunnelsAllowed func(harness.Report) error
	changes        []change
	// unwritten tells that nothing of the tenants may be written: a manager that finds
	// all as it is to be does nothing.
	unwritten bool
}

func known(within time.Duration) func(harness.Report) error {
	return func(r harness.Report) error { return r.Within(within) }
}

func begun(within time.Duration) func(harness.Report) error {
	return func(r harness.Report) error { return r.BegunWithin(within) }
}

// none allows no failure.
func none(r harness.Report) error {
	if failed := r.Failed(); len(failed) > 0 {
		return fmt.Errorf("%d requests have failed, want none; the first: %w", len(failed), failed[0].Err)
	}
	return nil
}

// oneEach allows one failure for each API server. With the first connection to a kubelet
// after its certificate for that has been replaced, client-go closes all that it had, and
// this one too (transport/cert_rotation.go); what cannot be sent again is lost.
func oneEach(r harness.Report) error {
	if failed := r.Failed(); len(failed) > 3 {
		return fmt.Errorf("%d requests have failed, want at most one for each API server; the first: %w", len(failed), failed[0].Err)
	}
	return nil
}

// disturbances are in an order in which none follows another within the time that a
// kubelet holds back a container for that it has started again shortly before.
func disturbances(s *tenant) []disturbance {
	of := func(component string) change { return change{namespace: s.namespace, component: component} }
	one, killed := of("kube-apiserver"), of("kube-apiserver")
	one.one, killed.restarted = true, true
	etcd := change{namespace: v1alpha1.SystemNamespace, component: "etcd-default", restarted: true}
	managers := change{namespace: v1alpha1.SystemNamespace, component: "marina-manager", replaced: true}
	rolled := of("kube-apiserver")
	rolled.replaced = true
	var all, lost []change
	for _, component := range components {
		c := of(component)
		c.replaced = true
		all = append(all, c)
		// Whoever leads gives up when it cannot renew its lease.
		c.replaced, c.restarted = false, true
		lost = append(lost, c)
	}
	return []disturbance{
		{"an API server's pod is deleted", deleteAPIServer, none, none, []change{one}, false},
		{"an API server is killed", killAPIServer, known(5 * time.Second), begun(10 * time.Second), []change{killed}, false},
		{"the leader of etcd is killed", killEtcdLeader, begun(5 * time.Second), begun(10 * time.Second), []change{etcd}, false},
		{"the managers are restarted", restartManagers, none, none, []change{managers}, true},
		{"the managers are upgraded", upgradeManagers, none, none, []change{managers}, true},
		{"all leaf certificates are issued again", rotate, none, oneEach, nil, false},
		{"the API servers' size is changed", resize, none, none, []change{rolled}, false},
		{"every component is restarted", restart, none, none, all, false},
		{"all API servers are killed at once", killAPIServers, begun(45 * time.Second), begun(60 * time.Second), lost, false},
	}
}

// testDisturbances prints what each disturbance costs the clients of a cluster, and what
// goes through Konnectivity in it. all are those whose state is looked at.
func testDisturbances(t *testing.T, s *tenant, all []*tenant) {
	table := &table{}
	for _, d := range disturbances(s) {
		t.Run(d.name, func(t *testing.T) {
			began := time.Now()
			disturb(t, s, all, d, table)
			t.Logf("%s took %.0f s", d.name, time.Since(began).Seconds())
		})
	}
	t.Logf("what clients of a cluster have noticed:\n%s", table)
}

func disturb(t *testing.T, s *tenant, all []*tenant, d disturbance, table *table) {
	before := observe(t, all)
	writtenBefore, err := written(t.Context(), all)
	harness.Check(t, err)
	probers := s.startTunnels(t)
	const direct = "reads and writes"
	probers[direct] = harness.StartProber(t, s.config)
	for _, p := range probers {
		awaitSucceeded(t, p, time.Time{}, 5)
	}
	d.do(t, s, func() {
		for _, p := range probers {
			p.Mark()
		}
	})
	s.awaitReplicas(t)
	settled := time.Now()
	for _, p := range probers {
		awaitSucceeded(t, p, settled, 10)
	}
	for _, what := range append([]string{direct}, tunnels...) {
		report := probers[what].Stop()
		table.add(d.name, what, report)
		allowed := d.tunnelsAllowed
		if what == direct {
			allowed = d.allowed
			lost, err := report.Lost(t.Context(), s.api)
			harness.Check(t, err)
			if len(lost) > 0 {
				t.Errorf("writes that were confirmed are lost: %v", lost)
			}
		}
		if err := allowed(report); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		failed := report.Failed()
		for _, q := range failed[:min(len(failed), 5)] {
			t.Logf("%s: %.2f to %.2f s after the mark: %v", what, q.Start.Sub(report.Marked).Seconds(), q.End.Sub(report.Marked).Seconds(), q.Err)
		}
	}
	assertInvariants(t, all, before, d.changes)
	if !d.unwritten {
		return
	}
	writtenAfter, err := written(t.Context(), all)
	harness.Check(t, err)
	for what, version := range writtenAfter {
		if !strings.Contains(what, " "+v1alpha1.SystemNamespace+"/") && writtenBefore[what] != version {
			t.Errorf("%s was written", what)
		}
	}
}

func awaitSucceeded(t *testing.T, p *harness.Prober, since time.Time, count int) {
	t.Helper()
	harness.Check(t, harness.Await(t.Context(), time.Minute, func(context.Context) error {
		report := p.Report()
		if n := report.Succeeded(since); n < count {
			failed := report.Failed()
			return fmt.Errorf("%d requests have succeeded, want %d; these have failed: %v", n, count, failed[max(0, len(failed)-2):])
		}
		return nil
	}))
}
