//go:build kind

package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// usage is what the containers of a component use, all replicas together.
type usage struct {
	// memory is the working set and anonymous what of it is no file, in bytes.
	memory, anonymous uint64
	// cpu is in core nanoseconds, since they began.
	cpu uint64
}

// usages asks the kubelets of the management cluster, by namespace and component: a
// metrics server would have asked the same.
func usages(ctx context.Context) (map[string]map[string]usage, error) {
	api, err := kubernetes.NewForConfig(management.config)
	if err != nil {
		return nil, err
	}
	nodes := &corev1.NodeList{}
	if err := management.client.List(ctx, nodes); err != nil {
		return nil, err
	}
	all := map[string]map[string]usage{}
	for _, node := range nodes.Items {
		text, err := api.CoreV1().RESTClient().Get().Resource("nodes").Name(node.Name).SubResource("proxy").Suffix("stats/summary").DoRaw(ctx)
		if err != nil {
			return nil, err
		}
		var summary struct {
			Pods []struct {
				PodRef struct{ Name, Namespace string }
				CPU    struct{ UsageCoreNanoSeconds uint64 }
				Memory struct{ WorkingSetBytes, RSSBytes uint64 }
			}
		}
		if err := json.Unmarshal(text, &summary); err != nil {
			return nil, err
		}
		for _, pod := range summary.Pods {
			for _, component := range append(components, "etcd", "marina-manager") {
				if !strings.HasPrefix(pod.PodRef.Name, component+"-") {
					continue
				}
				if all[pod.PodRef.Namespace] == nil {
					all[pod.PodRef.Namespace] = map[string]usage{}
				}
				sum := all[pod.PodRef.Namespace][component]
				sum.memory += pod.Memory.WorkingSetBytes
				sum.anonymous += pod.Memory.RSSBytes
				sum.cpu += pod.CPU.UsageCoreNanoSeconds
				all[pod.PodRef.Namespace][component] = sum
			}
		}
	}
	return all, nil
}

// printUsage prints what each tenant uses while they are left alone.
func printUsage(t *testing.T, tenants []*tenant, idle func()) {
	t.Helper()
	before, err := usages(t.Context())
	harness.Check(t, err)
	began := time.Now()
	idle()
	after, err := usages(t.Context())
	harness.Check(t, err)
	elapsed := time.Since(began)

	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "tenant\tcomponent\tpods, MiB working set\tanonymous MiB\tmillicores")
	row := func(tenant, component string, u, earlier usage) {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%.0f\n", tenant, component, u.memory>>20, u.anonymous>>20, float64(u.cpu-earlier.cpu)/float64(elapsed)*1000)
	}
	for _, tenant := range tenants {
		var sum, earlier usage
		for _, component := range components {
			u, e := after[tenant.namespace][component], before[tenant.namespace][component]
			row(tenant.name+" "+tenant.version, component, u, e)
			sum.memory, sum.anonymous, sum.cpu = sum.memory+u.memory, sum.anonymous+u.anonymous, sum.cpu+u.cpu
			earlier.cpu += e.cpu
		}
		row(tenant.name+" "+tenant.version, "all", sum, earlier)
		if sum.anonymous == 0 || sum.cpu == 0 {
			t.Errorf("nothing is known of what %s uses: %+v", tenant.name, sum)
		}
	}
	for _, component := range []string{"etcd", "marina-manager"} {
		row("all", component, after[v1alpha1.SystemNamespace][component], before[v1alpha1.SystemNamespace][component])
	}
	_ = table.Flush()
	t.Logf("what idle tenants use, by their kubelets' stats/summary, over %.0f s:\n%s", elapsed.Seconds(), text.String())
}
