package openstack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestPool takes pools through their lives, with the controllers as the product runs them.
func TestPool(t *testing.T) {
	w := newWorld(t)
	w.run()
	hard := w.pool("hard", 3, nodesWithAll)
	w.await("three nodes that are kept apart", w.settled(hard, 3))
	w.isApart(hard)
	w.hasAddresses()
	w.hasDisks()

	// There are three hosts.
	w.scale(hard, 4)
	w.await("the fourth is refused", func() error {
		for _, m := range w.machines() {
			if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionServerReady); c != nil && c.Reason == "NoCapacity" {
				if !strings.Contains(strings.ToLower(c.Message), "no valid host was found") {
					t.Errorf("the reason of Nova is not to be read: %s", c.Message)
				}
				w.read(hard)
				if !strings.Contains(hard.Status.Message, c.Message) {
					return fmt.Errorf("the pool says: %s", hard.Status.Message)
				}
				t.Log(hard.Status.Message)
				return nil
			}
		}
		return fmt.Errorf("no machine tells that there is no host")
	})
	w.scale(hard, 0)
	w.await("none", w.settled(hard, 0))
	if left := w.inventory(t); left["server"]+left["volume"]+left["floating IP"] != 0 || left["server group"] != 1 {
		t.Errorf("without nodes there is %v", left)
	}
	w.dismiss(hard)
	w.await("the end of the pool", w.gone(hard))

	soft := w.pool("soft", 3, func(s *v1alpha1.NodePoolSpec) { s.AntiAffinity = v1alpha1.AntiAffinitySoft })
	w.await("three that may share a host", w.settled(soft, 3))
	w.scale(soft, 5)
	w.await("five", w.settled(soft, 5))
	// Nova keeps them apart as far as it can tell when it chooses: some that were asked for at
	// once may be together even with a host to spare.
	groups := every(w, servergroups.List(w.service(w, openstack.Compute), nil), servergroups.ExtractServerGroups)
	if len(groups) != 1 || len(groups[0].Members) != 5 || groups[0].Policy == nil || *groups[0].Policy != "soft-anti-affinity" {
		t.Errorf("five servers on the hosts %v have the groups %+v, want a soft one", w.hosts(), groups)
	}
	w.dismiss(soft)
	w.await("the end of the other pool", w.gone(soft))
	w.dismiss(w.cluster)
	w.dismiss(w.network)
	w.await("the end of the network", w.gone(w.network))
}

// hosts are those that servers are on, as the project is told of them.
func (w *world) hosts() (hosts []string) {
	w.Helper()
	for _, s := range w.servers() {
		hosts = append(hosts, s.HostID)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

func (w *world) servers() []servers.Server {
	w.Helper()
	return every(w, servers.List(w.service(w, openstack.Compute), nil), servers.ExtractServers)
}

// isApart checks servers of a pool of three, each on a host of its own, and what they say of
// whose they are.
func (w *world) isApart(p *v1alpha1.NodePool) {
	w.Helper()
	all, owners := w.servers(), map[string]string{}
	for _, m := range w.machines() {
		owners[string(m.UID)] = m.Status.ServerID
	}
	if hosts := w.hosts(); len(all) != 3 || len(hosts) != 3 || hosts[0] == "" {
		w.Errorf("%d servers on the hosts %q, want three on three", len(all), hosts)
	}
	var made []string
	for _, s := range all {
		made = append(made, s.ID)
		mark, ours := openstack.ServerMark(s.Metadata)
		if s.Status != "ACTIVE" || !ours || mark.Cluster != w.cluster.UID || owners[string(mark.Owner)] != s.ID {
			w.Errorf("server %s is %s with the metadata %v", s.Name, s.Status, s.Metadata)
		}
		if len(s.SecurityGroups) != 1 || !strings.HasSuffix(s.SecurityGroups[0]["name"].(string), "-nodes") {
			w.Errorf("server %s has the security groups %v", s.Name, s.SecurityGroups)
		}
	}
	groups := every(w, servergroups.List(w.service(w, openstack.Compute), nil), servergroups.ExtractServerGroups)
	if len(groups) != 1 {
		w.Fatalf("server groups: %+v", groups)
	}
	g := groups[0]
	slices.Sort(made)
	slices.Sort(g.Members)
	if mark, ok := openstack.ServerGroupMark(g.Name); !ok || mark.Owner != p.UID || mark.Cluster != w.cluster.UID || !slices.Equal(g.Members, made) || g.Policy == nil || *g.Policy != "anti-affinity" {
		w.Errorf("the server group is %+v, the servers are %v", g, made)
	}
}

// hasAddresses checks that each server has one port, which is there, and an address outside.
func (w *world) hasAddresses() {
	w.Helper()
	w.read(w.network)
	neutron, outside := w.service(w, openstack.Network), map[string]bool{}
	for _, f := range every(w, floatingips.List(neutron, floatingips.ListOpts{ProjectID: w.projectID}), floatingips.ExtractFloatingIPs) {
		mark, ours := openstack.FloatingIPMark(f.Description)
		if !ours || mark.Cluster != w.cluster.UID {
			w.Errorf("the floating IP %s says %q", f.FloatingIP, f.Description)
		}
		outside[f.PortID] = true
	}
	for _, m := range w.machines() {
		all := every(w, ports.List(neutron, ports.ListOpts{DeviceID: m.Status.ServerID}), ports.ExtractPorts)
		if len(all) != 1 || all[0].Status != "ACTIVE" || !outside[all[0].ID] || all[0].NetworkID != w.network.Status.NetworkID {
			w.Errorf("the ports of %s are %+v, want one that is active and has a floating IP", m.Name, all)
			continue
		}
		if got := m.Status.Addresses; len(got) != 2 || got[0] != all[0].FixedIPs[0].IPAddress {
			w.Errorf("%s has the addresses %v", m.Name, got)
		}
	}
	if len(outside) != 3 {
		w.Errorf("floating IPs of the ports %v, want three", outside)
	}
}

// hasDisks checks that each server has booted from a volume.
func (w *world) hasDisks() {
	w.Helper()
	all := every(w, volumes.List(w.service(w, openstack.Volume), nil), volumes.ExtractVolumes)
	for _, v := range all {
		if v.Size != diskGiB || v.Bootable != "true" || v.Status != "in-use" || len(v.Attachments) != 1 || v.VolumeType == "" {
			w.Errorf("volume %+v", v)
		}
	}
	if len(all) != 3 {
		w.Errorf("%d volumes, want three", len(all))
	}
}
