//go:build kind

package kind

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// disturbance is something that happens to a cluster while a prober asks it.
type disturbance struct {
	name string
	do   func(t *testing.T, s *tenant)
	// within is how long after it a request may fail; zero is none at all.
	within time.Duration
	// replaced are the components whose pods must be others afterwards; the pods of all
	// others must be the same.
	replaced []string
}

// TestDisturbances prints what each disturbance costs the clients of a cluster.
func TestDisturbances(t *testing.T) {
	s := newTenant(t, "probed", "1.37.1-1")
	s.awaitReplicas(t)
	for _, d := range []disturbance{
		{"an API server's pod is deleted", func(t *testing.T, s *tenant) { s.deleteOne(t, "kube-apiserver") }, 0, nil},
		{"an API server is killed", func(t *testing.T, s *tenant) { s.kill(t, s.namespace, "kube-apiserver") }, 3 * time.Second, nil},
		{"the leader of etcd is killed", killEtcdLeader, 5 * time.Second, nil},
		{"the managers are restarted", restartManagers, 0, nil},
		{"all leaf certificates are issued again", rotate, 0, nil},
		{"every component is restarted", restart, 0, []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}},
	} {
		t.Run(d.name, func(t *testing.T) {
			before := s.uids(t)
			prober := harness.StartProber(t, s.config)
			harness.Check(t, harness.Await(t.Context(), time.Minute, func(context.Context) error {
				if n := len(prober.Report().Requests); n < 10 {
					return fmt.Errorf("%d requests", n)
				}
				return nil
			}))
			prober.Mark()
			d.do(t, s)
			s.awaitReplicas(t)
			marked := time.Now()
			harness.Check(t, harness.Await(t.Context(), time.Minute, func(context.Context) error {
				if n := prober.Report().Succeeded(marked); n < 20 {
					return fmt.Errorf("%d requests have succeeded since", n)
				}
				return nil
			}))
			report := prober.Stop()
			t.Logf("%s: %s", d.name, report)
			switch {
			case d.within == 0 && len(report.Failed()) > 0:
				t.Errorf("%d requests have failed, want none; the first: %v", len(report.Failed()), report.Failed()[0].Err)
			case d.within > 0:
				if err := report.BegunWithin(d.within); err != nil {
					t.Error(err)
				}
			}
			lost, err := report.Lost(t.Context(), s.api)
			harness.Check(t, err)
			if len(lost) > 0 {
				t.Errorf("writes that were confirmed are lost: %v", lost)
			}
			after := s.uids(t)
			for _, component := range d.replaced {
				for name := range before {
					if strings.HasPrefix(name, component+"-") && after[name] == before[name] {
						t.Errorf("pod %s is the same, want another", name)
					}
				}
			}
			if strings.Contains(d.name, "certificates") || strings.Contains(d.name, "managers") {
				if !maps.Equal(before, after) {
					t.Errorf("pods have been replaced:\n%v\n%v", before, after)
				}
			}
		})
	}
}

// uids are those of the tenant's pods, by name.
func (s *tenant) uids(t *testing.T) map[string]types.UID {
	t.Helper()
	found := map[string]types.UID{}
	pods, err := podsOf(t.Context(), s.namespace, "kube")
	harness.Check(t, err)
	for _, pod := range pods {
		found[pod.Name] = pod.UID
	}
	return found
}

func (s *tenant) deleteOne(t *testing.T, component string) {
	pods, err := podsOf(t.Context(), s.namespace, component)
	harness.Check(t, err)
	harness.Check(t, management.client.Delete(t.Context(), &pods[0]))
	harness.Check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		if err := management.client.Get(ctx, client.ObjectKeyFromObject(&pods[0]), &pods[0]); err == nil {
			return fmt.Errorf("pod %s is still there", pods[0].Name)
		} else if client.IgnoreNotFound(err) != nil {
			return err
		}
		return nil
	}))
}

// kill ends the main process of a pod with SIGKILL, and proves that it was restarted.
func (s *tenant) kill(t *testing.T, namespace, pod string) {
	t.Helper()
	pods, err := podsOf(t.Context(), namespace, pod)
	if err == nil && len(pods) == 0 {
		err = errors.New("there is none")
	}
	harness.Check(t, err)
	victim := pods[0]
	status := victim.Status.ContainerStatuses[0]
	_, err = execute(t.Context(), "docker", "exec", victim.Spec.NodeName,
		"ctr", "-n", "k8s.io", "task", "kill", "--signal", "SIGKILL", strings.TrimPrefix(status.ContainerID, "containerd://"))
	harness.Check(t, err)
	harness.Check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		if err := management.client.Get(ctx, client.ObjectKeyFromObject(&victim), &victim); err != nil {
			return err
		}
		if victim.Status.ContainerStatuses[0].RestartCount == status.RestartCount {
			return fmt.Errorf("pod %s has not been restarted", victim.Name)
		}
		return nil
	}))
}

func killEtcdLeader(t *testing.T, s *tenant) {
	etcd := &v1alpha1.EtcdCluster{}
	harness.Check(t, management.client.Get(t.Context(), client.ObjectKey{Name: "default"}, etcd))
	for _, member := range etcd.Status.Members {
		if member.Leader {
			s.kill(t, v1alpha1.SystemNamespace, member.Name)
			return
		}
	}
	t.Fatalf("no member leads: %+v", etcd.Status.Members)
}

func restartManagers(t *testing.T, _ *tenant) {
	for _, args := range [][]string{{"restart"}, {"status", "--timeout=2m"}} {
		command := append([]string{"kubectl", "-n", v1alpha1.SystemNamespace, "rollout", args[0], "deployment/marina-manager"}, args[1:]...)
		_, err := execute(t.Context(), command...)
		harness.Check(t, err)
	}
}

// rotate waits until another certificate is served by each replica in turn.
func rotate(t *testing.T, s *tenant) {
	before := s.serial(t)
	_, err := marina(t.Context(), "cluster", "rotate-certificates", s.name, "--wait")
	harness.Check(t, err)
	harness.Check(t, harness.Await(t.Context(), 3*time.Minute, func(context.Context) error {
		for range 20 {
			if s.serial(t) == before {
				return errors.New("an API server presents its old certificate")
			}
		}
		return nil
	}))
}

// serial is that of the certificate that an API server presents.
func (s *tenant) serial(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(s.config.Host)
	harness.Check(t, err)
	connection, err := tls.Dial("tcp", address.Host, &tls.Config{InsecureSkipVerify: true})
	harness.Check(t, err)
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func restart(t *testing.T, s *tenant) {
	_, err := marina(t.Context(), "cluster", "restart", s.name, "--wait")
	harness.Check(t, err)
}
