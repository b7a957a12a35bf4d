//go:build kind

package kind

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// testIsolation checks that a tenant's administrator is nobody elsewhere, and what a
// tenant's API servers may do in the shared etcd.
func testIsolation(t *testing.T, s *scene) {
	one, other := s.blue, s.green
	for name, host := range map[string]string{"another tenant": other.config.Host, "the management cluster": management.config.Host} {
		t.Run("credentials in "+name, func(t *testing.T) {
			config := rest.CopyConfig(one.config)
			config.Host = host
			// Whose certificate it is does not matter here: nothing is sent before it.
			config.CAData, config.Insecure = nil, true
			api, err := kubernetes.NewForConfig(config)
			harness.Check(t, err)
			_, err = api.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
			if !apierrors.IsUnauthorized(err) {
				t.Errorf("listing namespaces with another tenant's certificate: %v, want Unauthorized", err)
			}
		})
	}
	t.Run("the other's certificate is not trusted", func(t *testing.T) {
		config := rest.CopyConfig(one.config)
		config.Host = other.config.Host
		api, err := kubernetes.NewForConfig(config)
		harness.Check(t, err)
		if _, err = api.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%v, want a certificate that is not trusted", err)
		}
	})
	t.Run("etcd", func(t *testing.T) { assertApartInEtcd(t, one, other) })
	for _, tenant := range s.all() {
		t.Run("ports of "+tenant.name, func(t *testing.T) { assertConfined(t, tenant) })
	}
}

// assertApartInEtcd tries what one tenant's certificate, which only its API servers have,
// allows in etcd. What etcd lets everybody do who has a certificate, such as to ask for its
// members and alarms, is in a table of controlplane/etcd.
func assertApartInEtcd(t *testing.T, one, other *tenant) {
	mine := etcdAs(t, one.namespace, v1alpha1.SecretEtcdClient)
	endpoint := mine.Endpoints()[0]
	if found, err := mine.Get(t.Context(), "/"+one.uid+"/", clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil || found.Count == 0 {
		t.Fatalf("its own keys: %v, %v: then being refused elsewhere proves nothing", found, err)
	}
	for what, try := range map[string]func(context.Context) error{
		"read another tenant's keys": func(ctx context.Context) error {
			_, err := mine.Get(ctx, "/"+other.uid+"/", clientv3.WithPrefix(), clientv3.WithLimit(1))
			return err
		},
		"write another tenant's keys": func(ctx context.Context) error {
			_, err := mine.Put(ctx, "/"+other.uid+"/stolen", "")
			return err
		},
		"delete everything": func(ctx context.Context) error {
			_, err := mine.Delete(ctx, "\x00", clientv3.WithFromKey())
			return err
		},
		"remove a member": func(ctx context.Context) error {
			_, err := mine.MemberRemove(ctx, 1)
			return err
		},
		"defragment": func(ctx context.Context) error { _, err := mine.Defragment(ctx, endpoint); return err },
		"take a snapshot": func(ctx context.Context) error {
			snapshot, err := mine.Snapshot(ctx)
			if err == nil {
				_, err = snapshot.Read(make([]byte, 1))
			}
			return err
		},
		"list users": func(ctx context.Context) error { _, err := mine.UserList(ctx); return err },
		"move the leader": func(ctx context.Context) error {
			_, err := mine.MoveLeader(ctx, 1)
			return err
		},
		"compact": func(ctx context.Context) error { _, err := mine.Compact(ctx, 1); return err },
	} {
		if err := try(t.Context()); !errors.Is(err, rpctypes.ErrPermissionDenied) {
			t.Errorf("to %s: %v, want permission denied", what, err)
		}
	}
}

// assertConfined checks the NetworkPolicies, which the network of this management
// cluster does not enforce: each pod is selected by one, and of all ports only the API
// and Konnectivity take connections from everywhere.
func assertConfined(t *testing.T, s *tenant) {
	t.Helper()
	ctx := t.Context()
	policies := &networkingv1.NetworkPolicyList{}
	harness.Check(t, management.client.List(ctx, policies, client.InNamespace(s.namespace)))
	open := map[string][]int32{}
	for _, p := range policies.Items {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		harness.Check(t, err)
		if !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			t.Errorf("NetworkPolicy %s says nothing of ingress", p.Name)
		}
		for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			pods, err := podsOf(ctx, s.namespace, component)
			harness.Check(t, err)
			for _, pod := range pods {
				if !selector.Matches(labels.Set(pod.Labels)) {
					continue
				}
				if _, ok := open[pod.Name]; !ok {
					open[pod.Name] = []int32{}
				}
				for _, rule := range p.Spec.Ingress {
					for _, port := range rule.Ports {
						if len(rule.From) == 0 {
							open[pod.Name] = append(open[pod.Name], port.Port.IntVal)
						}
					}
				}
			}
		}
	}
	for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		pods, err := podsOf(context.WithoutCancel(ctx), s.namespace, component)
		harness.Check(t, err)
		for _, pod := range pods {
			ports, selected := open[pod.Name]
			if !selected {
				t.Errorf("no NetworkPolicy is about %s", pod.Name)
			}
			var want []int32
			if component == "kube-apiserver" {
				want = []int32{6443, 8132}
			}
			slices.Sort(ports)
			if !slices.Equal(slices.Compact(ports), want) {
				t.Errorf("%s takes connections from everywhere at ports %v, want %v", pod.Name, ports, want)
			}
		}
	}
}
