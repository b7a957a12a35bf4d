package chart

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// deploymentList is what is counted, without content.
var deploymentList = appsv1.SchemeGroupVersion.WithKind("DeploymentList")

var idle = flag.Duration("idle", time.Minute, "how long the benchmark watches a manager that has nothing to do")

// BenchmarkFleet measures what clusters cost the manager, as their number grows. Their
// pods are made and never scheduled: what the tenants themselves cost is measured
// elsewhere.
func BenchmarkFleet(b *testing.B) {
	s := servers[len(servers)-1]
	startBuiltIn(b, s)
	etcd := startEtcd(b, s)
	// More than the default.
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"maxTenants": 300}}`))
	if err := s.client.Patch(b.Context(), etcd, patch); err != nil {
		b.Fatal(err)
	}
	class := &v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: "fleet"}}
	class.Spec.EtcdClusters = []string{etcd.Name}
	class.Spec.Exposure = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort}
	class.Spec.NodeAccess = v1alpha1.NodeAccessKonnectivity
	create(b, s, class)
	createNode(b, s)
	f := &fleet{server: s, manager: startManager(b, s), token: s.metricsReader(b), class: class.Name}
	f.await(b, "an etcd that takes tenants", func(ctx context.Context) error {
		if err := s.get(ctx, etcd); err != nil || !meta.IsStatusConditionTrue(etcd.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("its conditions are %v, %w", etcd.Status.Conditions, err)
		}
		return s.client.Create(ctx, newCluster("fleet", f.class), client.DryRunAll)
	})
	for _, size := range []int{100, 300} {
		b.Run(fmt.Sprintf("clusters=%d", size), func(b *testing.B) { f.grow(b, size) })
	}
	b.Run("idle", f.rest)
}

// fleet is a number of clusters, and who manages them.
type fleet struct {
	*server
	manager *manager
	token   string
	class   string
	size    int
}

// await looks twice a second: to be asked costs a manager something, too.
func (f *fleet) await(b *testing.B, what string, check func(context.Context) error) {
	b.Helper()
	var last time.Time
	var err error
	if waited := harness.Await(b.Context(), 10*time.Minute, func(ctx context.Context) error {
		if err == nil || time.Since(last) > time.Second/2 {
			last, err = time.Now(), check(ctx)
		}
		return err
	}); waited != nil {
		b.Fatalf("%s: %v", what, waited)
	}
}

// grow makes clusters up to a number, and reports what each new one has cost.
func (f *fleet) grow(b *testing.B, size int) {
	if f.size >= size {
		b.Fatal("a fleet grows once: run it with -benchtime 1x")
	}
	added, pid := float64(size-f.size), f.manager.cmd.Process.Pid
	cpu, memory := harness.CPUTime(pid), harness.AnonymousMiB(pid)
	_, since := f.requests(b, 0)
	began := time.Now()
	for ; f.size < size; f.size++ {
		if err := f.client.Create(b.Context(), newCluster(fmt.Sprintf("fleet-%d", f.size), f.class)); err != nil {
			b.Fatal(err)
		}
	}
	f.await(b, "the pods' Deployments", f.complete)
	complete := time.Since(began)
	f.await(b, "a manager that rests", func(ctx context.Context) error { return f.manager.rests(ctx, f.token) })
	made, _ := f.requests(b, since)
	writes := slices.DeleteFunc(slices.Clone(made), func(r request) bool { return !r.writes() })

	b.ReportMetric(0, "ns/op")
	b.ReportMetric(complete.Seconds(), "s-until-complete")
	b.ReportMetric((harness.CPUTime(pid)-cpu).Seconds()/added, "CPU-s/cluster")
	b.ReportMetric(float64(len(made))/added, "requests/cluster")
	b.ReportMetric(float64(len(writes))/added, "writes/cluster")
	b.ReportMetric((harness.AnonymousMiB(pid)-memory)/added, "MiB/cluster")
	b.ReportMetric(harness.AnonymousMiB(pid), "MiB")
	// A benchmark's log is cut after ten lines.
	fmt.Printf("requests for each cluster, up to %d:\n%s", size, table(made, added))
}

// complete is nil when all is there that is made before an API server is ready.
func (f *fleet) complete(ctx context.Context) error {
	planes := &v1alpha1.HostedControlPlaneList{}
	if err := f.client.List(ctx, planes); err != nil {
		return err
	}
	deployments := &metav1.PartialObjectMetadataList{}
	deployments.SetGroupVersionKind(deploymentList)
	if err := f.client.List(ctx, deployments, client.MatchingLabels{"marina.dev/component": "kube-apiserver"}); err != nil {
		return err
	}
	if len(planes.Items) < f.size || len(deployments.Items) < f.size {
		return fmt.Errorf("%d control planes and %d Deployments of API servers, want %d of each", len(planes.Items), len(deployments.Items), f.size)
	}
	return nil
}

// settled is nil when all pods are there. Those of the other two replicas are made when
// the first has had its time to become ready, and it takes the built-in controllers a
// while to make so many.
func (f *fleet) settled(ctx context.Context) error {
	deployments := &appsv1.DeploymentList{}
	if err := f.client.List(ctx, deployments, client.MatchingLabels{"marina.dev/component": "kube-apiserver"}); err != nil {
		return err
	}
	if len(deployments.Items) != f.size {
		return fmt.Errorf("%d Deployments, want %d", len(deployments.Items), f.size)
	}
	for _, d := range deployments.Items {
		if d.Status.UpdatedReplicas != 3 || d.Status.Replicas != 3 {
			return fmt.Errorf("%d of %d pods of %s are there, want 3", d.Status.UpdatedReplicas, d.Status.Replicas, client.ObjectKeyFromObject(&d))
		}
	}
	return nil
}

// rest reports what a manager writes, and which CPU it uses, while nothing happens.
func (f *fleet) rest(b *testing.B) {
	f.await(b, "all pods", f.settled)
	f.await(b, "a manager that rests", func(ctx context.Context) error { return f.manager.rests(ctx, f.token) })
	pid := f.manager.cmd.Process.Pid
	_, since := f.requests(b, 0)
	cpu := harness.CPUTime(pid)
	timer := time.NewTimer(*idle)
	<-timer.C
	made, _ := f.requests(b, since)
	writes := slices.DeleteFunc(slices.Clone(made), func(r request) bool { return !r.writes() })
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(writes)), "writes")
	b.ReportMetric((harness.CPUTime(pid)-cpu).Seconds()/idle.Seconds(), "cores")
	fmt.Printf("requests in %s with %d clusters:\n%s", *idle, f.size, table(made, 1))
}

// table counts requests by what they do, the most frequent first.
func table(made []request, each float64) string {
	counts := map[string]float64{}
	for _, r := range made {
		counts[fmt.Sprintf("%s %s", r.Verb, r.right().resource)]++
	}
	var text strings.Builder
	for _, what := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(-cmp.Compare(counts[a], counts[b]), cmp.Compare(a, b)) }) {
		fmt.Fprintf(&text, "%8.2f %s\n", counts[what]/each, what)
	}
	return text.String()
}
