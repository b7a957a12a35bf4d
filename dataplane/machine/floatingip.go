package machine

import (
	"context"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ensureFloatingIP gives a server that runs its address in the external network. Once that
// was seen it is not looked at again in this process.
func (r *Reconciler) ensureFloatingIP(ctx context.Context, s *scope) error {
	if !s.machine.Spec.Template.FloatingIP || s.server == nil {
		return nil
	}
	status := &s.machine.Status
	last := r.memory.of(s.machine)
	if last.floating != s.server.ID {
		f, err := r.attach(ctx, s)
		if err != nil {
			return err
		}
		last.floating, last.address, status.FloatingIPID = s.server.ID, f.FloatingIP, f.ID
		r.memory.set(s.machine, func(l *look) { l.floating, l.address = last.floating, last.address })
	}
	if !slices.Contains(status.Addresses, last.address) {
		// Nova hears of it later.
		status.Addresses = append(status.Addresses, last.address)
	}
	return nil
}

// attach makes the floating IP, or finds it, and has it lead to the server.
func (r *Reconciler) attach(ctx context.Context, s *scope) (*floatingips.FloatingIP, error) {
	sc, err := r.neutron(ctx, s)
	if err != nil {
		return nil, err
	}
	port, err := portOf(ctx, sc, s)
	if err != nil {
		return nil, err
	}
	f, err := floating(sc, s, port).Ensure(ctx, s.machine.Status.FloatingIPID)
	if err == nil && f.PortID != port {
		f, err = ofNetwork(floatingips.Update(ctx, sc, f.ID, floatingips.UpdateOpts{PortID: &port}).Extract())
	}
	if err != nil {
		return nil, s.project.Outcome(err, "giving the server a floating IP")
	}
	return f, nil
}

// portOf is the server's port in the cluster's network.
func portOf(ctx context.Context, sc *gophercloud.ServiceClient, s *scope) (string, error) {
	pages, err := ports.List(sc, ports.ListOpts{DeviceID: s.server.ID, NetworkID: s.network.Status.NetworkID}).AllPages(ctx)
	var found []ports.Port
	if err == nil {
		found, err = ports.ExtractPorts(pages)
	}
	if err := openstack.Classify(openstack.Network, err); err != nil {
		return "", s.project.Outcome(err, "looking for the port of the server")
	}
	if len(found) == 0 {
		return "", reconcile.WaitFor(busyInterval, "WaitingForPort", "the server %s has no port in the cluster's network yet, which its floating IP could lead to", s.server.ID)
	}
	return found[0].ID, nil
}

// removeFloatingIP deletes the floating IP, and looks again: one that was asked for by
// somebody who has ended meanwhile may have come last of all.
func (r *Reconciler) removeFloatingIP(ctx context.Context, s *scope) error {
	id := s.machine.Status.FloatingIPID
	if !s.machine.Spec.Template.FloatingIP && id == "" {
		return nil
	}
	sc, err := r.neutron(ctx, s)
	if err != nil {
		return err
	}
	owned := floating(sc, s, "")
	for range 3 {
		found, err := owned.All(ctx, id)
		if err != nil {
			return s.project.Outcome(err, "looking for the floating IP")
		}
		if len(found) == 0 {
			return nil
		}
		for _, f := range found {
			if err := owned.Delete(ctx, f.ID); err != nil && !openstack.IsKind(err, openstack.NotFound) {
				return s.project.Outcome(err, "deleting the floating IP")
			}
		}
	}
	return reconcile.WaitFor(busyInterval, "DeletingFloatingIP", "waiting until the cloud shows no more of the floating IP")
}

func (r *Reconciler) neutron(ctx context.Context, s *scope) (*gophercloud.ServiceClient, error) {
	if err := r.open(ctx, s); err != nil {
		return nil, err
	}
	sc, err := s.project.Service(ctx, openstack.Network)
	if err != nil {
		return nil, s.project.Outcome(err, "looking for Neutron")
	}
	return sc, nil
}

// ofNetwork makes errors of Neutron's ones of type *openstack.Error.
func ofNetwork[T any](value T, err error) (T, error) {
	return value, openstack.Classify(openstack.Network, err)
}

// floating is the floating IP of a Machine, which leads to a port from the first moment.
func floating(sc *gophercloud.ServiceClient, s *scope, port string) openstack.Owned[floatingips.FloatingIP] {
	key := floatingKey(s.machine)
	return openstack.Owned[floatingips.FloatingIP]{
		ID: func(f *floatingips.FloatingIP) string { return f.ID },
		Find: func(ctx context.Context) ([]floatingips.FloatingIP, error) {
			pages, err := floatingips.List(sc, floatingips.ListOpts{Description: key, ProjectID: s.project.ID}).AllPages(ctx)
			if err != nil {
				return ofNetwork[[]floatingips.FloatingIP](nil, err)
			}
			all, err := floatingips.ExtractFloatingIPs(pages)
			// A cloud may not know the filter, and list those of others.
			return ofNetwork(slices.DeleteFunc(all, func(f floatingips.FloatingIP) bool { return f.Description != key }), err)
		},
		Get: func(ctx context.Context, id string) (*floatingips.FloatingIP, error) {
			return ofNetwork(floatingips.Get(ctx, sc, id).Extract())
		},
		Create: func(ctx context.Context) (*floatingips.FloatingIP, error) {
			return ofNetwork(floatingips.Create(ctx, sc, floatingips.CreateOpts{
				Description: key, FloatingNetworkID: s.network.Status.ExternalNetworkID, PortID: port,
			}).Extract())
		},
		Mark: func(ctx context.Context, id string) error {
			_, err := ofNetwork(floatingips.Update(ctx, sc, id, floatingips.UpdateOpts{Description: &key}).Extract())
			return err
		},
		Delete: func(ctx context.Context, id string) error {
			return openstack.Classify(openstack.Network, floatingips.Delete(ctx, sc, id).ExtractErr())
		},
	}
}

func floatingKey(m *v1alpha1.Machine) string {
	return openstack.FloatingIPKey(openstack.Mark{Cluster: m.Spec.ClusterRef.UID, Owner: m.UID})
}
