package join

import (
	"net/netip"
	"slices"
	"strings"
)

// Reserved is what no node may be called or serve under, whatever its Node says of
// itself: a kubelet writes the addresses of its own Node, and its serving certificate
// is signed by the CA that clients trust for the API server. Even the zero value
// reserves the names under which pods know the API server and services.
type Reserved struct {
	// Names are DNS names: above all the host name of the API server, if it has one.
	Names []string
	// Prefixes are ranges of addresses: that of services and, unless nodes run at the
	// same address, that of the API server.
	Prefixes []netip.Prefix
}

// name tells whether a DNS name is reserved. Pods write kubernetes, kubernetes.default
// and x.namespace.svc, and their resolver completes these with the cluster's domain.
func (r Reserved) name(name string) bool {
	return name == "localhost" || name == "kubernetes" ||
		strings.HasPrefix(name+".", "kubernetes.default.") ||
		strings.Contains(name+".", ".svc.") ||
		slices.Contains(r.Names, name)
}

// address tells whether an address is reserved.
func (r Reserved) address(addr netip.Addr) bool {
	return slices.ContainsFunc(r.Prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
