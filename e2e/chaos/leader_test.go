package chaos

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/e2e/harness"
)

// leaderChanges is how often another process has taken over the Lease of a component
// of the tenant.
func (s *scene) leaderChanges(ctx context.Context, component string) (int32, error) {
	lease, err := s.api.CoordinationV1().Leases("kube-system").Get(ctx, component, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	return ptr.Deref(lease.Spec.LeaseTransitions, 0), nil
}

// leader is the process that leads. The Lease names the machine, which is the same
// for all three replicas: each is asked itself.
func (s *scene) leader(component string) (process string) {
	s.t.Helper()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(ctx context.Context) error {
		running := shared.Processes()
		var leading []string
		for i := range 3 {
			name := fmt.Sprintf("%s/%s/%d/%s", s.namespace, component, i, component)
			if leads, err := s.leads(ctx, running[name], component); err != nil {
				return fmt.Errorf("asking %s whether it leads: %w", name, err)
			} else if leads {
				leading = append(leading, name)
			}
		}
		if len(leading) != 1 {
			return fmt.Errorf("these lead: %v, want one", leading)
		}
		process = leading[0]
		return nil
	}))
	return process
}

// leads asks a replica's metrics.
func (s *scene) leads(ctx context.Context, pid int, component string) (bool, error) {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false, err
	}
	_, rest1, ok := strings.Cut(string(cmdline), "--secure-port=")
	if !ok {
		return false, fmt.Errorf("process %d has no port", pid)
	}
	port, _, _ := strings.Cut(rest1, "\x00")
	config := rest.CopyConfig(s.config)
	config.Host = "https://127.0.0.1:" + port
	// It presents its client certificate, which names no address.
	config.Insecure, config.CAData = true, nil
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		return false, err
	}
	metrics, err := c.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return false, err
	}
	return strings.Contains(string(metrics), fmt.Sprintf("leader_election_master_status{name=%q} 1\n", component)), nil
}
