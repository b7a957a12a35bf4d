//go:build kind

package kind

import (
	"context"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
)

// A tenant's administrator is nobody in another tenant and in the management cluster.
func TestTenantsAreApart(t *testing.T) {
	one, other := newTenant(t, "one", "1.37.1-1"), newTenant(t, "other", "1.37.1-1")
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
	for _, s := range []*tenant{one, other} {
		t.Run("ports of "+s.name, func(t *testing.T) { assertConfined(t, s) })
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
