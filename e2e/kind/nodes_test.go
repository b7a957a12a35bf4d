//go:build kind

package kind

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestNodes freezes a node of the management cluster, with an API server and a member of
// etcd on it: nothing in it answers, and no connection to it breaks. It takes a cluster of
// three nodes, which "CONFIG=multi make e2e" makes for it.
func TestNodes(t *testing.T) {
	s := newTenant(t, "nodes", harness.Release)
	s.awaitReplicas(t)
	pods, err := podsOf(t.Context(), s.namespace, "kube-apiserver")
	harness.Check(t, err)
	members, err := podsOf(t.Context(), v1alpha1.SystemNamespace, "etcd-default")
	harness.Check(t, err)
	on := map[string]int{}
	for _, pod := range append(slices.Clone(pods), members...) {
		on[pod.Spec.NodeName+" "+strings.Split(pod.Name, "-")[0]]++
	}
	victim := ""
	for _, pod := range pods {
		node := pod.Spec.NodeName
		// The control plane of the management cluster is to live, and so is the node at
		// whose address the cluster is reached: in production that is a load balancer's.
		if !strings.HasSuffix(node, "-control-plane") && !strings.Contains(s.config.Host, pod.Status.HostIP+":") &&
			on[node+" kube"] == 1 && on[node+" etcd"] == 1 {
			victim = node
		}
	}
	if victim == "" {
		t.Fatalf("no node has one API server and one member of etcd: %v", on)
	}

	before := observe(t, []*tenant{s})
	prober := harness.StartProber(t, s.config)
	awaitSucceeded(t, prober, time.Time{}, 10)
	prober.Mark()
	_, err = execute(t.Context(), "docker", "pause", victim)
	harness.Check(t, err)
	thaw := func() {
		ctx, cancel := background(time.Minute)
		defer cancel()
		// It fails when it has been done.
		_, _ = execute(ctx, "docker", "unpause", victim)
	}
	t.Cleanup(thaw)
	// All is well for clients when nothing has failed for longer than a request may take.
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, 4*time.Minute, func(ctx context.Context) error {
		report := prober.Report()
		if _, last := report.LastFailure(); time.Since(report.Marked)-last < 15*time.Second {
			return fmt.Errorf("a request has failed %s after the node froze", last)
		}
		return s.notReady(ctx, victim)
	}))
	report := prober.Stop()
	table := &table{}
	table.add("a node of the management cluster freezes", "reads and writes", report)
	t.Logf("what clients of a cluster have noticed:\n%s", table)
	kinds := map[string]int{}
	for _, q := range report.Failed() {
		kinds[fmt.Sprintf("%3.0f s: %.60s", q.Start.Sub(report.Marked).Seconds()/10, q.Err)]++
	}
	t.Logf("failures by tens of seconds: %v", kinds)
	if err := report.BegunWithin(75 * time.Second); err != nil {
		t.Error(err)
	}
	if gap := report.LongestGap(); gap > 10*time.Second {
		t.Errorf("nothing was answered for %s, want two of three API servers to go on", gap)
	}
	lost, err := report.Lost(t.Context(), s.api)
	harness.Check(t, err)
	if len(lost) > 0 {
		t.Errorf("writes that were confirmed are lost: %v", lost)
	}

	thaw()
	var changes []change
	for _, component := range components {
		changes = append(changes, change{namespace: s.namespace, component: component, restarted: true})
	}
	changes = append(changes, change{namespace: v1alpha1.SystemNamespace, component: "marina-manager", restarted: true},
		change{namespace: v1alpha1.SystemNamespace, component: "etcd-default", restarted: true})
	assertInvariants(t, []*tenant{s}, before, changes)
}

// notReady is nil once the pods of a node are known not to be ready.
func (s *tenant) notReady(ctx context.Context, node string) error {
	pods, err := podsOf(ctx, s.namespace, "kube-apiserver")
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if pod.Spec.NodeName == node && ready(pod) {
			return fmt.Errorf("pod %s on the frozen node counts as ready", pod.Name)
		}
	}
	return nil
}
