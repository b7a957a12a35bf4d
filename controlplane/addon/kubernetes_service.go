package addon

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// nameKubernetes is the name of the service, and of all that belongs to it.
const nameKubernetes = "kubernetes"

// KubernetesService is where the service default/kubernetes leads: the API server's
// exposed address. The API servers run with --endpoint-reconciler-type=none, so that
// nobody else writes these two objects; the service itself they make.
//
// There are addresses that it cannot lead to, and for them it returns no objects:
//
//   - loopback, link-local, unspecified and multicast ones: the API refuses them as
//     endpoints. "marina up" on one machine has such an address;
//   - host names: kube-proxy sends to IP addresses only;
//   - IPv6: the range of services is IPv4, and so are the endpoints of its services.
//
// In-cluster clients then need a node-local proxy.
func KubernetesService(host string, port int32) ([]client.Object, error) {
	if host == "" || port < 1 || port > 65535 {
		return nil, fmt.Errorf("address %q, port %d: need a host and a port between 1 and 65535", host, port)
	}
	// A host name gives the zero address, which is not usable.
	ip, _ := netip.ParseAddr(host)
	if !usableAsEndpoint(ip) {
		return nil, nil
	}
	return []client.Object{
		// Endpoints are deprecated, but clients still read these.
		&corev1.Endpoints{ //nolint:staticcheck // see above
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Endpoints"},
			ObjectMeta: metav1.ObjectMeta{
				Namespace: metav1.NamespaceDefault, Name: nameKubernetes,
				// Or the controller-manager would mirror them into a second EndpointSlice.
				Labels: labels(map[string]string{discoveryv1.LabelSkipMirror: "true"}),
			},
			Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // see above
				Addresses: []corev1.EndpointAddress{{IP: ip.String()}},
				Ports:     []corev1.EndpointPort{{Name: "https", Port: port, Protocol: corev1.ProtocolTCP}},
			}},
		},
		&discoveryv1.EndpointSlice{
			TypeMeta: metav1.TypeMeta{APIVersion: discoveryv1.SchemeGroupVersion.String(), Kind: "EndpointSlice"},
			ObjectMeta: metav1.ObjectMeta{
				Namespace: metav1.NamespaceDefault, Name: nameKubernetes,
				Labels: labels(map[string]string{
					discoveryv1.LabelServiceName: nameKubernetes,
					// Controllers leave slices alone that another one manages.
					discoveryv1.LabelManagedBy: "marina.dev",
				}),
			},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{
				Addresses:  []string{ip.String()},
				Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			}},
			Ports: []discoveryv1.EndpointPort{{Name: new("https"), Port: new(port), Protocol: new(corev1.ProtocolTCP)}},
		},
	}, nil
}

func usableAsEndpoint(ip netip.Addr) bool {
	return ip.Is4() && !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast()
}
