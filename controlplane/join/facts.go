package join

import (
	"net"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Facts are what Decide may have to know besides the request itself. What does not
// matter for a request is left empty.
type Facts struct {
	Now time.Time
	// Token is the Secret of the bootstrap token that asks; nil when there is none.
	Token *corev1.Secret
	// BoundToken is the identifier of another, still valid token that is bound to the
	// node name.
	BoundToken string
	// ClaimedBy is the name of a request by which another machine, one with another
	// key, has got a certificate for the node name so lately that it may not have
	// registered yet.
	ClaimedBy string
	// Node is the Node of the name that is asked for; nil when there is none.
	Node *corev1.Node
	// Owners are the addresses of all other Nodes.
	Owners map[netip.Addr]string
	// Known tells that an inventory of machines has one of this name, and
	// KnownAddresses what addresses it has there.
	Known          bool
	KnownAddresses []netip.Addr
	// Reserved is what no node may serve under.
	Reserved Reserved
}

// addressesOf are the IP addresses that a Node says it has.
func addressesOf(node *corev1.Node) (ips []netip.Addr) {
	for _, address := range node.Status.Addresses {
		switch address.Type {
		case corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeHostName:
			// A node without a name has its address as a host name.
			if ip, err := netip.ParseAddr(address.Address); err == nil {
				ips = append(ips, ip.Unmap())
			}
		}
	}
	return ips
}

// namesOf are the DNS names that a Node has: its own and those that it says it has.
func namesOf(node *corev1.Node) []string {
	names := []string{node.Name}
	for _, address := range node.Status.Addresses {
		switch address.Type {
		case corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeExternalDNS:
			// The kubelet asks for all of them, or for none.
			names = append(names, address.Address)
		}
	}
	return names
}

// toAddrs turns the addresses of a PKCS#10 request into those of this package.
func toAddrs(ips []net.IP) (addrs []netip.Addr) {
	for _, ip := range ips {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}
