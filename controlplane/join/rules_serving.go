package join

import (
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// servingRules are for the certificate that a kubelet serves with. Who holds one can
// pose as every name and address in it, before whoever trusts the tenant's CA: so they
// must be the node's own, and no one else's.
var servingRules = []rule{byItself, isNode, hasUsages(certificatesv1.UsageServerAuth), someSANs, nodeThere, namesKnown, addressesKnown, addressesFree}

func someSANs(r Request, _ Facts) (Decision, string, string) {
	if sans := otherSANs(r); len(sans) > 0 {
		return deny(ReasonSANsNotAllowed, "a serving certificate has names and addresses only, but this asks for %q", sans)
	}
	if len(r.CSR.DNSNames)+len(r.CSR.IPAddresses) == 0 {
		return deny(ReasonSANsMissing, "a serving certificate needs at least one name or address of the node")
	}
	return approve()
}

// nodeThere waits for the Node: a kubelet may ask before it has registered.
func nodeThere(r Request, f Facts) (Decision, string, string) {
	if f.Node == nil {
		name, _ := r.node()
		return Wait, ReasonNodeMissing, "there is no Node " + name + " yet"
	}
	return approve()
}

func namesKnown(r Request, f Facts) (Decision, string, string) {
	known := namesOf(f.Node)
	for _, name := range r.CSR.DNSNames {
		if f.Reserved.name(name) {
			return deny(ReasonNameReserved, "%q is a name of the API server or of a service, and no node's", name)
		}
		if !slices.Contains(known, name) {
			return deny(ReasonAddressUnknown, "%q is no name of the node, which has %q (kubectl get node %s -o yaml, status.addresses)", name, known, f.Node.Name)
		}
	}
	return approve()
}

func addressesKnown(r Request, f Facts) (Decision, string, string) {
	known := slices.Concat(addressesOf(f.Node), f.KnownAddresses)
	for _, ip := range toAddrs(r.CSR.IPAddresses) {
		if f.Reserved.address(ip) {
			return deny(ReasonNameReserved, "%s is an address of the API server or of a service, and no node's", ip)
		}
		if !slices.Contains(known, ip) {
			return deny(ReasonAddressUnknown, "%s is no address of the node (kubectl get node %s -o yaml, status.addresses)", ip, f.Node.Name)
		}
	}
	return approve()
}

func addressesFree(r Request, f Facts) (Decision, string, string) {
	for _, ip := range toAddrs(r.CSR.IPAddresses) {
		if owner, taken := f.Owners[ip]; taken {
			return deny(ReasonAddressTaken, "%s is an address of the node %q too: if that node is gone, delete it (kubectl delete node %s), and the kubelet asks again by itself", ip, owner, owner)
		}
	}
	return approve()
}
