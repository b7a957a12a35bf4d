package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestAPIServerKilled(t *testing.T) {
	s := begin(t)
	victim := s.process("kube-apiserver/1/kube-apiserver")
	s.prober.Mark()
	harness.Kill(t, s.before[victim])
	s.awaitCluster(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "kube-apiserver-1")
	s.end(known(3*time.Second), victim)
}

func TestBalancerKilled(t *testing.T) {
	s := begin(t)
	victim := s.process("kube-apiserver/balancer")
	s.prober.Mark()
	harness.Kill(t, s.before[victim])
	s.end(known(3*time.Second), victim)
}

// Both at once, since each takes a quarter of a minute to be missed.
func TestLeadersKilled(t *testing.T) {
	s := begin(t)
	components := []string{"kube-controller-manager", "kube-scheduler"}
	held := map[string]string{}
	var victims []string
	for _, component := range components {
		held[component] = s.holder(t.Context(), component)
		victims = append(victims, s.leader(component))
	}
	s.prober.Mark()
	for _, victim := range victims {
		harness.Kill(t, s.before[victim])
	}
	for _, component := range components {
		s.awaitCluster(v1alpha1.ConditionAvailable, metav1.ConditionFalse, component)
	}
	s.awaitReplaced(victims...)
	for _, component := range components {
		check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
			now := s.holder(ctx, component)
			if now == "" || now == held[component] {
				return fmt.Errorf("the lease of %s is still held by %q", component, now)
			}
			return nil
		}))
		s.leader(component)
	}
	s.end(none, victims...)
}
