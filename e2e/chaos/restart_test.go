package chaos

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestAPIServerTerminated(t *testing.T) {
	s := begin(t)
	victim := s.process("kube-apiserver/1/kube-apiserver")
	s.prober.Mark()
	check(t, syscall.Kill(s.before[victim], syscall.SIGTERM))
	s.awaitFalse(s.ofCluster, v1alpha1.ConditionAvailable, "kube-apiserver")
	s.end(none, victim)
}

// A restart that was asked for replaces every process of the tenant but the balancer,
// one at a time.
func TestRestartIsNotNoticed(t *testing.T) {
	s := begin(t)
	var replaced []string
	for name := range s.before {
		if strings.HasPrefix(name, s.namespace+"/") && !strings.HasSuffix(name, "/balancer") {
			replaced = append(replaced, name)
		}
	}
	if len(replaced) != 9 {
		t.Fatalf("found %v, want three of each component", replaced)
	}
	s.prober.Mark()
	operation := &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "restart-steady"},
		Spec:       v1alpha1.OperationSpec{Type: v1alpha1.OperationRestart, TargetRef: v1alpha1.OperationTarget{Name: steady}},
	}
	check(t, shared.Client.Create(t.Context(), operation))
	check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		if err := shared.Client.Get(ctx, client.ObjectKeyFromObject(operation), operation); err != nil {
			return err
		}
		switch status := operation.Status; {
		case status.Phase == v1alpha1.OperationSucceeded:
			return nil
		case status.Phase.Finished():
			return harness.Fatal(fmt.Errorf("the restart is %s: %s", status.Phase, status.Message))
		default:
			return fmt.Errorf("the restart is %q, %s: %s", status.Phase, status.Progress, status.Message)
		}
	}))
	s.end(none, replaced...)
}
