package nova

import (
	"fmt"
	"slices"
)

// hasZone reports whether there is a zone that is available.
func (n *Nova) hasZone(name string) bool {
	return slices.ContainsFunc(n.zones, func(z zone) bool { return z.name == name && z.available() })
}

// place chooses the host with the fewest servers that a server's group allows.
func (n *Nova) place(s *Server) (host, zone string, ok bool) {
	load := map[string]int{}
	for _, other := range n.servers.All() {
		load[other.Host]++
	}
	g, grouped := n.groups.Get(s.group)
	with := map[string]int{}
	if grouped {
		for _, id := range n.members(g) {
			if other, ok := n.servers.Get(id); ok && other != s && other.Host != "" {
				with[other.Host]++
			}
		}
	}
	best, found := [2]int{}, false
	for _, z := range n.zones {
		if s.Zone != "" && s.Zone != z.name {
			continue
		}
		for i := range z.hosts {
			candidate := fmt.Sprintf("%s-%d", z.name, i+1)
			if grouped && !g.allows(with, candidate) {
				continue
			}
			score := [2]int{0, load[candidate]}
			if grouped {
				score[0] = g.likes(with[candidate])
			}
			if !found || score[0] < best[0] || (score[0] == best[0] && score[1] < best[1]) {
				best, found, host, zone = score, true, candidate, z.name
			}
		}
	}
	return host, zone, found
}
