package machine

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// sight is what a list shows of a Machine.
type sight struct {
	// known is its server, and others are those that there should not be.
	known  *servers.Server
	others []*servers.Server
}

// sight finds the servers of a Machine. While it was asked for one and has not got the
// answer, the best of those that are there is its own.
func (l *listing) sight(m *v1alpha1.Machine) sight {
	all := slices.Clone(l.byMachine[string(m.UID)])
	known := l.byID[m.Status.ServerID]
	if m.Status.ServerID == "" && m.Status.RequestedAt != nil && len(all) > 0 {
		slices.SortFunc(all, func(a, b *servers.Server) int {
			return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
		})
		if !openstack.Leaving(all[0]) {
			known = all[0]
		}
	}
	return sight{known: known, others: slices.DeleteFunc(all, func(s *servers.Server) bool { return s == known })}
}

func rank(s *servers.Server) int {
	switch {
	case openstack.Leaving(s):
		return 2
	case s.Status == "ERROR":
		return 1
	}
	return 0
}

// passing are states in which somebody else does something with a server that ends by itself.
var passing = []string{"REBOOT", "HARD_REBOOT", "MIGRATING", "RESIZE", "REVERT_RESIZE", "REBUILD", "PASSWORD"}

// judge says what a server is: nil if it runs, a *failure if it does not become a node any
// more, as one that is overdue.
func judge(m *v1alpha1.Machine, server *servers.Server, network *v1alpha1.ClusterNetwork, overdue bool) error {
	status := m.Status
	var f *failure
	switch {
	case openstack.Leaving(server):
		f = &failure{reason: reasonGone, message: fmt.Sprintf("the server %s is being deleted, and not by Marina", server.ID)}
	case server.Status == "ERROR":
		f = faultOf(server)
	case overdue:
		f = &failure{reason: "CreationTimeout", message: fmt.Sprintf("the server %s (%s) has not become a Ready node within %s%s", server.ID, server.Status, creationTimeout(m), slowFlavors)}
	case server.Status == "BUILD":
		return building(m)
	case slices.Contains(passing, server.Status):
		return reconcile.WaitFor(calmInterval, "ServerChanging", "the server %s is in %s, which ends by itself", server.ID, server.Status)
	case server.Status != "ACTIVE":
		reason := reasonNotActive
		if server.Status == "SHUTOFF" {
			reason = reasonStopped
		}
		return &reconcile.Error{Kind: reconcile.KindUser, Reason: reason, After: calmInterval,
			Message: fmt.Sprintf("the server %s is %s: 'openstack server start %s' may start it", server.ID, server.Status, server.ID)}
	default:
		return misplaced(server, network)
	}
	if status.ReadySince != nil {
		return f.lasting(server.ID)
	}
	return f
}

// faultOf is what Nova says of a server in ERROR.
func faultOf(server *servers.Server) *failure {
	fault := openstack.Fault(server.Fault.Code, server.Fault.Message)
	f := &failure{kind: fault.Kind, reason: reasonError, message: fmt.Sprintf("the server %s is in ERROR: %s", server.ID, cmp.Or(fault.Message, "Nova gives no reason"))}
	if fault.Kind == openstack.Quota || fault.Kind == openstack.NoCapacity {
		f.reason = string(fault.Kind)
	}
	return f
}

// misplaced finds a server that has no address in the subnet of the nodes. In an existing
// network with several subnets Neutron chooses one of them.
func misplaced(server *servers.Server, network *v1alpha1.ClusterNetwork) error {
	within, err := netip.ParsePrefix(network.Status.CIDR)
	if err != nil || network.Spec.Existing == nil {
		return nil //nolint:nilerr // nothing to compare with
	}
	fixed, _ := addresses(server)
	if slices.ContainsFunc(fixed, func(a string) bool { return in(within, a) }) || len(fixed) == 0 {
		return nil
	}
	return &reconcile.Error{Kind: reconcile.KindUser, Reason: "AddressNotInSubnet", After: calmInterval,
		Message: fmt.Sprintf("the server %s has the address %s, which is not in the subnet %s (%s): take the other subnets out of the network %s, or create the cluster with a network that has only one",
			server.ID, fixed[0], network.Status.SubnetID, within, network.Status.NetworkID)}
}

func in(prefix netip.Prefix, address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && prefix.Contains(ip)
}

// addressesOf are the addresses of a server: those in the cluster's network first, and
// floating ones last.
func addressesOf(server *servers.Server, cidr string) []string {
	fixed, floating := addresses(server)
	if within, err := netip.ParsePrefix(cidr); err == nil {
		slices.SortStableFunc(fixed, func(a, b string) int {
			return cmp.Compare(btoi(!in(within, a)), btoi(!in(within, b)))
		})
	}
	return append(fixed, floating...)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// addresses are the fixed and the floating addresses of a server, sorted.
func addresses(server *servers.Server) (fixed, floating []string) {
	for _, list := range server.Addresses {
		entries, _ := list.([]any)
		for _, entry := range entries {
			a, _ := entry.(map[string]any)
			address, _ := a["addr"].(string)
			switch {
			case address == "":
			case a["OS-EXT-IPS:type"] == "floating":
				floating = append(floating, address)
			default:
				fixed = append(fixed, address)
			}
		}
	}
	slices.Sort(fixed)
	slices.Sort(floating)
	return fixed, floating
}
