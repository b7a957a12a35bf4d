package component

import "github.com/marina-dev/marina/pkg/api/v1alpha1"

// Ports are the ports of one of the three components, with upstream's numbers.
func Ports(name string, access v1alpha1.NodeAccess) []Port {
	switch {
	case name == NameAPIServer && access == v1alpha1.NodeAccessKonnectivity:
		return []Port{
			{Name: PortHTTPS, Number: 6443, Clients: ClientsAll},
			{Name: PortKonnectivity, Number: 8132, Clients: ClientsAll},
			{Name: portHealth, Number: 8134},
			{Name: portAdmin, Number: 8133},
		}
	case name == NameAPIServer:
		return []Port{{Name: PortHTTPS, Number: 6443, Clients: ClientsAll}}
	case name == NameControllerManager:
		return []Port{{Name: PortHTTPS, Number: 10257}}
	default:
		return []Port{{Name: PortHTTPS, Number: 10259}}
	}
}

// BalancedPorts are those of them that have one address for all replicas.
func BalancedPorts(name string, access v1alpha1.NodeAccess) []Balanced {
	switch {
	case name != NameAPIServer:
		return nil
	case access == v1alpha1.NodeAccessKonnectivity:
		// An API server may need agents in order to become ready, for a webhook that fails
		// closed or an aggregated API.
		return []Balanced{
			{Port: PortHTTPS},
			{Port: PortKonnectivity, NotReady: true},
			{Port: PortHTTPS, NotReady: true, Internal: AddressAnyAPIServer},
		}
	default:
		return []Balanced{{Port: PortHTTPS}}
	}
}
