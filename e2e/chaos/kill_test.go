package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestAPIServerKilled(t *testing.T) {
	s := begin(t)
	victim := s.process("kube-apiserver/1/kube-apiserver")
	s.prober.Mark()
	harness.Kill(t, s.before[victim])
	s.awaitFalse(s.ofCluster, v1alpha1.ConditionAvailable, "kube-apiserver-1")
	s.end(known(3*time.Second), victim)
}

func TestBalancerKilled(t *testing.T) {
	s := begin(t)
	victim := s.process("kube-apiserver/balancer")
	s.prober.Mark()
	harness.Kill(t, s.before[victim])
	s.end(known(3*time.Second), victim)
}

func TestManagementAPIServerKilled(t *testing.T) {
	begin(t).killManagement("kube-apiserver")
}

func TestManagementControllerManagerKilled(t *testing.T) {
	begin(t).killManagement("kube-controller-manager")
}

// Both at once, since each takes a quarter of a minute to be missed.
func TestLeadersKilled(t *testing.T) {
	s := begin(t)
	components := []string{"kube-controller-manager", "kube-scheduler"}
	before := map[string]int32{}
	var victims []string
	for _, component := range components {
		victims = append(victims, s.leader(component))
		changes, err := s.leaderChanges(t.Context(), component)
		check(t, err)
		before[component] = changes
	}
	s.prober.Mark()
	for _, victim := range victims {
		harness.Kill(t, s.before[victim])
	}
	for _, component := range components {
		s.awaitFalse(s.ofCluster, v1alpha1.ConditionAvailable, component)
	}
	for _, component := range components {
		check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
			changes, err := s.leaderChanges(ctx, component)
			if err == nil && changes <= before[component] {
				err = fmt.Errorf("the lease of %s has had %d holders more than its first, as before", component, changes)
			}
			return err
		}))
		s.leader(component)
	}
	s.end(none, victims...)
}
