// Package chaos kills and holds every process that Marina runs, one after the other,
// while a prober asks a tenant's API from outside. Each test proves that the harm was
// done, that clients noticed no more of it than docs/reference/resilience.md promises,
// that everything came back by itself, and that nothing else was touched.
package chaos

import (
	"os"
	"testing"

	"github.com/marina-dev/marina/e2e/harness"
)

// shared is the Marina that is harmed, and steady the cluster on it that the prober
// asks.
var shared *harness.Marina

const steady = "steady"

var check = harness.Check

func TestMain(m *testing.M) {
	clusters := map[string]string{steady: harness.Release}
	os.Exit(harness.Suite(m, clusters, func(m *harness.Marina) { shared = m }))
}
