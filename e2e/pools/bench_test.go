package pools

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// BenchmarkPool counts what a pool costs a cloud whose servers take 30 s to build: all
// requests to all services, but for tokens and the discovery of versions, from none to ten
// nodes until the last is Ready, and how often it is asked by a project in which nothing
// happens.
func BenchmarkPool(b *testing.B) {
	const nodes, quiet = 10, 10
	for b.Loop() {
		s := newScene(b, openstacksim.Options{BuildTime: 30 * time.Second})
		pool := s.add(b, "web", 0)
		check(b, harness.AwaitAvailable(b.Context(), s.Marina, s.cluster.Name))
		s.settled(b, pool, 0)
		s.cloud.ResetCalls()
		began := time.Now()
		s.patch(b, pool, `{"spec": {"replicas": 10}}`)
		s.settled(b, pool, nodes)
		b.ReportMetric(time.Since(began).Seconds(), "s-10-nodes")
		b.ReportMetric(float64(s.cloud.Work())/nodes, "requests/node")
		s.cloud.ResetCalls()
		began = time.Now()
		check(b, harness.AwaitEvery(b.Context(), time.Second, 15*time.Minute, func(context.Context) error {
			if n := s.cloud.Work(); n < quiet {
				return fmt.Errorf("%d of %d requests of a quiet project", n, quiet)
			}
			return nil
		}))
		b.ReportMetric(quiet/time.Since(began).Minutes(), "requests/quiet-minute")
		for _, c := range s.cloud.Calls(front.Match{}) {
			b.Log(c)
		}
	}
}
