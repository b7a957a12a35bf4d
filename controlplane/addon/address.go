package addon

import (
	"fmt"
	"net/netip"
)

// dnsIndex is the place of the DNS service in the range of services: the tenth, as
// with kubeadm. Whoever installs CoreDNS by the book gives it this address.
const dnsIndex = 10

// ServiceIP is the nth address of a range of services, counted from its network
// address, which is 0. The first is the one that the API server gives the service
// "kubernetes".
func ServiceIP(serviceCIDR string, n int) (netip.Addr, error) {
	prefix, err := netip.ParsePrefix(serviceCIDR)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("serviceCIDR: %w", err)
	}
	addr := prefix.Masked().Addr()
	for range n {
		addr = addr.Next()
	}
	if n < 0 || !prefix.Contains(addr) {
		return netip.Addr{}, fmt.Errorf("serviceCIDR %s has no address number %d: choose a larger range", serviceCIDR, n)
	}
	return addr, nil
}

// ClusterDNSIP is the address of the cluster's DNS service, which kubelets write into
// every pod's resolv.conf.
func ClusterDNSIP(serviceCIDR string) (netip.Addr, error) {
	return ServiceIP(serviceCIDR, dnsIndex)
}
