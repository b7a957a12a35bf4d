//go:build kind

package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
)

// BenchmarkCreate measures how long clusters take, one after the other, from applied to
// the end of the first kubectl.
func BenchmarkCreate(b *testing.B) {
	const runs = 5
	var kubectl, first, servers, all []time.Duration
	for i := range runs {
		c := harness.NewCluster(fmt.Sprintf("bench-%d", i), harness.Release)
		m := measure(b, c.Name)
		kubectl, first = append(kubectl, m.kubectl), append(first, m.firstServer)
		servers, all = append(servers, m.apiServers), append(all, m.made.Available)
		gone(b, c.Name)
	}
	b.ReportMetric(0, "ns/op")
	for what, times := range map[string][]time.Duration{"first-kubectl": kubectl, "first-API-server": first, "API-servers": servers, "replicas": all} {
		slices.Sort(times)
		b.ReportMetric(times[len(times)/2].Seconds(), "s-"+what+"-median")
		b.ReportMetric(times[len(times)-1].Seconds(), "s-"+what+"-most")
	}
}

// BenchmarkTen measures how long ten clusters take that are applied at once.
func BenchmarkTen(b *testing.B) {
	var wg sync.WaitGroup
	results := make([]measured, 10)
	names := make([]string, len(results))
	for i := range results {
		names[i] = fmt.Sprintf("ten-%d", i)
		wg.Go(func() { results[i] = measure(b, names[i]) })
	}
	wg.Wait()
	var kubectl, all time.Duration
	restarts := 0
	for _, m := range results {
		kubectl, all = max(kubectl, m.kubectl), max(all, m.made.Available)
		restarts += m.restarts
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(kubectl.Seconds(), "s-last-first-kubectl")
	b.ReportMetric(all.Seconds(), "s-last-replicas")
	b.ReportMetric(float64(restarts), "restarts")
	gone(b, names...)
}

// measured is how long a cluster took.
type measured struct {
	made harness.Creation
	// kubectl is until the first kubectl has printed the namespaces.
	kubectl time.Duration
	// firstServer is until one API server was ready, and apiServers until all three were; in
	// whole seconds, as Kubernetes has them.
	firstServer, apiServers time.Duration
	// restarts of containers, until every replica was ready.
	restarts int
}

func measure(b *testing.B, name string) measured {
	b.Helper()
	c := harness.NewCluster(name, harness.Release)
	began, m := time.Now(), measured{}
	var err error
	if m.made, err = harness.Create(b.Context(), management.client, c, 10*time.Minute); err != nil {
		b.Error(err)
		return m
	}
	// What kubectl needs besides the request.
	path := filepath.Join(b.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*m.made.Kubeconfig, path); err != nil {
		b.Error(err)
		return m
	}
	defer os.Remove(path)
	started := time.Now()
	if _, err := execute(b.Context(), "kubectl", "--kubeconfig", path, "get", "namespaces"); err != nil {
		b.Error(err)
	}
	m.kubectl = m.made.FirstGet + time.Since(started)
	pods := &corev1.PodList{}
	if err := management.client.List(b.Context(), pods, client.InNamespace(c.Status.Namespace)); err != nil {
		b.Error(err)
	}
	for _, pod := range pods.Items {
		for _, s := range pod.Status.ContainerStatuses {
			m.restarts += int(s.RestartCount)
		}
		for _, condition := range pod.Status.Conditions {
			if strings.HasPrefix(pod.Name, "kube-apiserver-") && condition.Type == corev1.PodReady {
				ready := condition.LastTransitionTime.Sub(began)
				m.apiServers = max(m.apiServers, ready)
				if m.firstServer == 0 || ready < m.firstServer {
					m.firstServer = ready
				}
			}
		}
	}
	return m
}

// gone deletes clusters and waits until nothing of them is left.
func gone(b *testing.B, names ...string) {
	b.Helper()
	for _, name := range names {
		if err := management.client.Delete(b.Context(), harness.NewCluster(name, "")); client.IgnoreNotFound(err) != nil {
			b.Error(err)
		}
	}
	harness.Check(b, harness.Await(b.Context(), 5*time.Minute, func(ctx context.Context) error {
		for _, name := range names {
			c := harness.NewCluster(name, "")
			if err := management.client.Get(ctx, client.ObjectKeyFromObject(c), c); client.IgnoreNotFound(err) != nil || err == nil {
				return fmt.Errorf("cluster %s is %s (%w)", name, c.Status.Phase, err)
			}
		}
		return nil
	}))
}
