package kubernetes

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// networkPolicy lets in who a port is for, and nobody else. Probes come from the node,
// which is always let in. What leaves the pods is not limited: webhooks and nodes may be
// anywhere.
func networkPolicy(c component.Component) *networkingv1.NetworkPolicy {
	var ingress []networkingv1.NetworkPolicyIngressRule
	for _, p := range c.Ports {
		from, some := clients(c, p.Clients)
		if !some {
			continue
		}
		ingress = append(ingress, networkingv1.NetworkPolicyIngressRule{
			From:  from,
			Ports: []networkingv1.NetworkPolicyPort{{Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(p.Number))}},
		})
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metaOf(c, c.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: selectorOf(c.Name)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     ingress,
		},
	}
}

// clients are who a port is for; an empty list is everybody.
func clients(c component.Component, who component.Clients) (from []networkingv1.NetworkPolicyPeer, some bool) {
	switch who {
	case component.ClientsAll:
		return nil, true
	case component.ClientsReplicas:
		return []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: selectorOf(c.Name)}}}, true
	case component.ClientsManager:
		return []networkingv1.NetworkPolicyPeer{manager()}, true
	case component.ClientsAPIServers:
		from := []networkingv1.NetworkPolicyPeer{
			{
				// Only Marina makes namespaces with this label, in which users have no rights.
				NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: v1alpha1.LabelClusterUID, Operator: metav1.LabelSelectorOpExists},
				}},
				PodSelector: &metav1.LabelSelector{MatchLabels: selectorOf(component.NameAPIServer)},
			},
			manager(),
		}
		if len(c.Labels) > 0 {
			from = append(from, networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: c.Labels}})
		}
		return from, true
	default:
		return nil, false
	}
}

// manager is Marina's own.
func manager() networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: v1alpha1.SystemNamespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{AppLabel: AppMarina}},
	}
}
