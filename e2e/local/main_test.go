// Package local runs "marina up" and hosts real control planes on this machine:
// three API servers, controller-managers and schedulers each, on a real etcd of
// three members, with hollow nodes that join by the genuine bootstrap.
package local

import (
	"os"
	"testing"

	"github.com/marina-dev/marina/e2e/harness"
)

// shared is the Marina that all tests use which do it no harm. It has one cluster
// of each minor.
var shared *harness.Marina

// clusters by the release that they run.
var clusters = map[string]string{"old": "1.36.4-1", "new": "1.37.1-1"}

// What all suites do alike.
var (
	check          = harness.Check
	start          = harness.Launch
	newCluster     = harness.NewCluster
	create         = harness.CreateCluster
	getCluster     = harness.GetCluster
	awaitPhase     = harness.AwaitPhase
	awaitAvailable = harness.AwaitAvailable
	tenant         = harness.TenantClient
	gone           = harness.Gone

	tenantProcesses = (*harness.Marina).TenantProcesses
)

func TestMain(m *testing.M) {
	os.Exit(harness.Suite(m, clusters, func(m *harness.Marina) { shared = m }))
}
