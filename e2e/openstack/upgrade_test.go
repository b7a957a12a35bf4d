package openstack

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// identity is what stays of a server that is made anew in place.
type identity struct{ Server, Ports, Floating string }

// identities are those of all Machines, by name.
func (w *world) identities() map[string]identity {
	w.Helper()
	neutron, all := w.service(w, openstack.Network), map[string]identity{}
	for _, m := range w.machines() {
		i := identity{Server: m.Status.ServerID}
		for _, p := range every(w, ports.List(neutron, ports.ListOpts{DeviceID: m.Status.ServerID}), ports.ExtractPorts) {
			i.Ports += fmt.Sprint(p.ID, p.MACAddress, p.FixedIPs)
			for _, f := range every(w, floatingips.List(neutron, floatingips.ListOpts{PortID: p.ID}), floatingips.ExtractFloatingIPs) {
				i.Floating += f.ID + f.FloatingIP
			}
		}
		if i.Server == "" || i.Ports == "" || i.Floating == "" {
			w.Errorf("%s has %+v", m.Name, i)
		}
		all[m.Name] = i
	}
	return all
}

// boots gives a pool another image, and awaits that all its servers have booted it.
func (w *world) boots(p *v1alpha1.NodePool, image string, strategy v1alpha1.UpgradeStrategy) {
	w.Helper()
	w.read(p)
	before := p.DeepCopy()
	p.Spec.Image, p.Spec.Upgrade.Strategy = image, strategy
	check(w, management.Client.Patch(w.Context(), p, client.MergeFrom(before)))
	w.await("another image, "+string(strategy), func() error {
		busy := 0
		for _, m := range w.machines() {
			if m.Rebuilding() {
				busy++
			}
		}
		if busy > 1 {
			w.Errorf("%d servers are made anew at a time", busy)
		}
		if err := w.settled(p, 3)(); err != nil {
			return err
		}
		for _, s := range w.servers() {
			if s.Image["id"] != image || s.Status != "ACTIVE" {
				return fmt.Errorf("the server %s is %s with the image %v", s.ID, s.Status, s.Image["id"])
			}
		}
		return nil
	})
}

// In place servers keep their ids, ports, addresses and floating IPs; rolling, no server is one
// that was there before.
func TestRule16InPlaceAndRolling(t *testing.T) {
	w := newWorld(t)
	w.run()
	second, third := w.makeImage(t, "second"), w.makeImage(t, "third")
	p := w.pool("web", 3, func(s *v1alpha1.NodePoolSpec) { s.FloatingIPs = true })
	w.await("three nodes", w.settled(p, 3))
	before := w.identities()

	w.wire.reset()
	w.boots(p, second, v1alpha1.UpgradeInPlace)
	if diff := cmp.Diff(before, w.identities()); diff != "" {
		t.Errorf("after an upgrade in place (-want +got):\n%s", diff)
	}
	if n := w.wire.done("POST /servers/{id}/action"); n != 3 || w.wire.done("POST /servers") != 0 {
		t.Errorf("%d were made anew, and %d others made, want three and none", n, w.wire.done("POST /servers"))
	}
	w.hasAddresses()

	w.boots(p, third, v1alpha1.UpgradeRolling)
	var old []string
	for _, i := range before {
		old = append(old, i.Server)
	}
	for _, s := range w.servers() {
		if slices.Contains(old, s.ID) {
			t.Errorf("the server %s was there before", s.ID)
		}
	}
	w.dismiss(p)
	w.await("the end of the pool", w.gone(p))
	w.dismiss(w.cluster)
	w.dismiss(w.network)
	w.await("the end of the network", w.gone(w.network))
}
