package neutron

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
)

// complete gives a subnet the allocation pools that it has if none are given: all but the
// network's address, the broadcast address and the gateway.
func (s *Subnet) complete() {
	if len(s.AllocationPools) > 0 {
		return
	}
	prefix := netip.MustParsePrefix(s.CIDR)
	first, last := prefix.Masked().Addr().Next(), lastOf(prefix)
	if s.IPVersion == 4 && prefix.Bits() < 31 {
		last = last.Prev()
	}
	if last.Less(first) {
		first = last // a single address
	}
	gateway := netip.Addr{}
	if s.GatewayIP != nil {
		gateway, _ = netip.ParseAddr(*s.GatewayIP)
	}
	switch {
	case !gateway.IsValid() || !prefix.Contains(gateway):
		s.AllocationPools = []Pool{{first.String(), last.String()}}
	case gateway == first:
		s.AllocationPools = []Pool{{first.Next().String(), last.String()}}
	case gateway == last:
		s.AllocationPools = []Pool{{first.String(), last.Prev().String()}}
	default:
		s.AllocationPools = []Pool{{first.String(), gateway.Prev().String()}, {gateway.Next().String(), last.String()}}
	}
}

// lastOf is the last address of a prefix.
func lastOf(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// holds reports whether some port has an address of a subnet.
func (n *Neutron) holds(s *Subnet, address string) bool {
	return len(n.ports.All(func(p *Port) bool {
		return slices.Contains(p.FixedIPs, FixedIP{SubnetID: s.ID, IPAddress: address})
	})) > 0
}

// next is a free address of a subnet's pools that is none of those about to be taken.
func (n *Neutron) next(s *Subnet, taken []FixedIP) (string, bool) {
	used := map[string]bool{}
	for _, ip := range taken {
		used[ip.IPAddress] = true
	}
	for _, p := range n.ports.All() {
		for _, ip := range p.FixedIPs {
			if ip.SubnetID == s.ID {
				used[ip.IPAddress] = true
			}
		}
	}
	for _, pool := range s.AllocationPools {
		end := netip.MustParseAddr(pool.End)
		for a := netip.MustParseAddr(pool.Start); !end.Less(a); a = a.Next() {
			if !used[a.String()] {
				return a.String(), true
			}
		}
	}
	return "", false
}

// assign completes the addresses that are asked for on a network; nil asks for any.
func (n *Neutron) assign(network string, asked []FixedIP) ([]FixedIP, error) {
	for _, ip := range asked {
		if _, err := netip.ParseAddr(ip.IPAddress); ip.IPAddress != "" && err != nil {
			return nil, badRequest("Invalid input for fixed_ips. Reason: '%s' is not a valid IP address.", ip.IPAddress)
		}
	}
	subnets := n.subnetsOf(network)
	if asked == nil {
		if len(subnets) == 0 {
			return []FixedIP{}, nil
		}
		for _, s := range subnets {
			if address, ok := n.next(s, nil); ok {
				return []FixedIP{{SubnetID: s.ID, IPAddress: address}}, nil
			}
		}
		return nil, refuse(http.StatusConflict, "IpAddressGenerationFailure", "No more IP addresses available on network %s.", network)
	}
	found := []FixedIP{}
	for _, want := range asked {
		s, err := n.subnetFor(network, subnets, want)
		if err != nil {
			return nil, err
		}
		if want.IPAddress == "" {
			address, ok := n.next(s, found)
			if !ok {
				return nil, refuse(http.StatusConflict, "IpAddressGenerationFailure", "No more IP addresses available on network %s.", network)
			}
			want.IPAddress = address
		} else if n.holds(s, want.IPAddress) {
			return nil, refuse(http.StatusConflict, "IpAddressAlreadyAllocated", "IP address %s already allocated in subnet %s", want.IPAddress, s.ID)
		}
		found = append(found, FixedIP{SubnetID: s.ID, IPAddress: want.IPAddress})
	}
	return found, nil
}

// subnetFor is the subnet that a wanted address is of.
func (n *Neutron) subnetFor(network string, subnets []*Subnet, want FixedIP) (*Subnet, error) {
	if want.SubnetID != "" {
		s, ok := n.subnets.Get(want.SubnetID)
		if !ok {
			return nil, refuse(http.StatusNotFound, "SubnetNotFound", "Subnet %s could not be found.", want.SubnetID)
		}
		if s.NetworkID != network {
			return nil, invalid("Failed to create port on network %s, because fixed_ips included invalid subnet %s", network, want.SubnetID)
		}
		if a, err := netip.ParseAddr(want.IPAddress); want.IPAddress != "" && (err != nil || !netip.MustParsePrefix(s.CIDR).Contains(a)) {
			return nil, refuse(http.StatusBadRequest, "InvalidIpForSubnet", "IP address %s is not a valid IP for the specified subnet.", want.IPAddress)
		}
		return s, nil
	}
	a, err := netip.ParseAddr(want.IPAddress)
	if err == nil {
		for _, s := range subnets {
			if netip.MustParsePrefix(s.CIDR).Contains(a) {
				return s, nil
			}
		}
	}
	return nil, refuse(http.StatusBadRequest, "InvalidIpForNetwork", "IP address %s is not a valid IP for any of the subnets on the specified network.", want.IPAddress)
}

// mac is a fresh MAC address.
func (n *Neutron) mac() string {
	n.macs++
	return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", n.macs>>16&0xff, n.macs>>8&0xff, n.macs&0xff)
}
