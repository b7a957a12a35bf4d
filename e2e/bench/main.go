// Command bench measures what docs/reference/performance.md shows, on a "marina up"
// of its own, and prints it as tables.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/marina-dev/marina/e2e/harness"
)

func main() {
	runs := flag.Int("runs", 5, "clusters to create one after the other")
	idle := flag.Duration("idle", time.Minute, "how long to watch an idle tenant")
	version := flag.String("version", "1.37.1-1", "release of the clusters")
	flag.Parse()
	if err := run(context.Background(), *runs, *idle, *version); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, runs int, idle time.Duration, version string) error {
	dir, err := os.MkdirTemp("", "marina-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := harness.New(dir)
	if err != nil {
		return err
	}
	defer func() {
		if err := m.End(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}()
	if err := m.Start(ctx); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "marina up: ready after %.1f s\n", m.Ready.Seconds())
	if err := awaitEtcd(ctx, m); err != nil {
		return err
	}

	var times []creation
	for i := range runs {
		c, err := create(ctx, m, fmt.Sprintf("bench-%d", i), version)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "cluster %d of %d: first GET %.2f s, ready %.2f s, all replicas %.2f s\n",
			i+1, runs, c.FirstGet.Seconds(), c.Ready.Seconds(), c.Available.Seconds())
		times = append(times, c)
		if i < runs-1 {
			// The last one stays, to be looked at.
			if err := remove(ctx, m, c.cluster); err != nil {
				return err
			}
		}
	}
	last := times[len(times)-1]
	fmt.Fprintf(os.Stderr, "watching an idle tenant for %s\n", idle)
	quiet, err := watchIdle(ctx, m, last.cluster, idle)
	if err != nil {
		return err
	}
	report(m, times, quiet)
	return nil
}

// report prints the tables.
func report(m *harness.Marina, times []creation, quiet idleness) {
	fmt.Printf("| what | median | least | most |\n|---|---|---|---|\n")
	row := func(what string, of func(creation) time.Duration) {
		var all []time.Duration
		for _, c := range times {
			all = append(all, of(c))
		}
		slices.Sort(all)
		fmt.Printf("| %s | %.2f s | %.2f s | %.2f s |\n", what, all[len(all)/2].Seconds(), all[0].Seconds(), all[len(all)-1].Seconds())
	}
	row("applied → first authenticated GET", func(c creation) time.Duration { return c.FirstGet })
	row("applied → Ready (a node could join)", func(c creation) time.Duration { return c.Ready })
	row("applied → all nine replicas ready", func(c creation) time.Duration { return c.Available })

	var requests, writes []int
	for _, c := range times {
		requests, writes = append(requests, c.requests), append(writes, c.writes)
	}
	slices.Sort(requests)
	slices.Sort(writes)
	fmt.Printf("\n| what | value |\n|---|---|\n")
	fmt.Printf("| `marina up` until it serves | %.1f s |\n", m.Ready.Seconds())
	fmt.Printf("| management API requests by Marina per tenant, until all replicas are ready (median) | %d |\n", requests[len(requests)/2])
	fmt.Printf("| of which writes | %d |\n", writes[len(writes)/2])
	fmt.Printf("| writes by Marina in %s of idleness | %d |\n", quiet.over, quiet.writes)

	fmt.Printf("\n| process | anonymous memory each | CPU, idle, all together | connections to etcd each |\n|---|---|---|---|\n")
	var memory, cpu float64
	for _, name := range slices.Sorted(maps.Keys(quiet.processes)) {
		p := quiet.processes[name]
		fmt.Printf("| %s (%d) | %.0f MiB | %.4f core | %.0f |\n", name, p.count, p.memoryMiB/float64(p.count), p.cores, float64(p.etcdConnections)/float64(p.count))
		if p.tenant {
			memory, cpu = memory+p.memoryMiB, cpu+p.cores
		}
	}
	fmt.Printf("| **one tenant, all its processes** | **%.0f MiB** | **%.4f core** | |\n", memory, cpu)
}
