package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// idleness is what a tenant costs that nobody uses.
type idleness struct {
	over      time.Duration
	writes    int
	processes map[string]processes
}

// processes are all of one kind, together.
type processes struct {
	count           int
	memoryMiB       float64
	cores           float64
	etcdConnections int
	tenant          bool
}

// watchIdle measures for a while; the caller has let the tenant come to rest.
func watchIdle(ctx context.Context, m *harness.Marina, cluster *v1alpha1.Cluster, over time.Duration) (idleness, error) {
	rest := time.NewTimer(15 * time.Second)
	<-rest.C
	pids := m.Processes()
	pids["marina up"] = m.PID()
	before, cpuBefore := usageOrZero(ctx, m), map[string]time.Duration{}
	for name, pid := range pids {
		cpuBefore[name] = harness.CPUTime(pid)
	}
	began := time.Now()
	timer := time.NewTimer(over)
	<-timer.C
	elapsed := time.Since(began)

	etcd := &v1alpha1.EtcdCluster{}
	if err := m.Client.Get(ctx, client.ObjectKey{Name: "default"}, etcd); err != nil {
		return idleness{}, err
	}
	connections := connectionsTo(etcd.Status.Endpoints)
	result := idleness{over: over, writes: usageOrZero(ctx, m).writes - before.writes, processes: map[string]processes{}}
	for name, pid := range pids {
		kind := kindOf(name)
		p := result.processes[kind]
		p.count++
		p.memoryMiB += harness.AnonymousMiB(pid)
		p.cores += float64(harness.CPUTime(pid)-cpuBefore[name]) / float64(elapsed)
		p.etcdConnections += connections(pid)
		p.tenant = strings.HasPrefix(name, cluster.Status.Namespace+"/")
		result.processes[kind] = p
	}
	return result, nil
}

// kindOf is the component of namespace/component/ordinal/process, or that of the
// management plane by its own name.
func kindOf(name string) string {
	parts := strings.Split(name, "/")
	switch {
	case len(parts) < 3:
		return name
	case parts[len(parts)-1] == "balancer":
		return "endpoint balancer"
	case strings.HasPrefix(parts[0], "marina-") && parts[0] != v1alpha1.SystemNamespace:
		return parts[1]
	case parts[0] == v1alpha1.SystemNamespace && strings.HasPrefix(parts[1], "etcd-"):
		return "etcd (shared)"
	default:
		return "management " + parts[1]
	}
}

// apiUsage counts requests to the management API.
type apiUsage struct{ requests, writes int }

// usage counts what the API server has answered, but for leases, watches and what
// is not an object. It includes the benchmark's own reads of the cluster, which
// are taken out by resource and verb.
func usage(ctx context.Context, m *harness.Marina) (apiUsage, error) {
	body, err := kubernetes.NewForConfigOrDie(m.Config).RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return apiUsage{}, err
	}
	var u apiUsage
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		verb, resource := label(line, "verb"), label(line, "resource")
		fields := strings.Fields(line)
		count, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return u, fmt.Errorf("%q: %w", line, err)
		}
		own := verb == "GET" && (resource == "clusters" || resource == "secrets" || resource == "etcdclusters")
		if resource == "" || resource == "leases" || verb == "WATCH" || own {
			continue
		}
		u.requests += int(count)
		switch verb {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
			u.writes += int(count)
		}
	}
	return u, nil
}

func usageOrZero(ctx context.Context, m *harness.Marina) apiUsage {
	u, err := usage(ctx, m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: reading the management API's metrics:", err)
	}
	return u
}

// label is the value of a label in a line of metrics.
func label(line, name string) string {
	_, rest, ok := strings.Cut(line, name+`="`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
