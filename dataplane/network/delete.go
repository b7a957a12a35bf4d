package network

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/guard"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// delete takes a network down:
//
//  1. guard: not while its Cluster lives
//  2. machines: not while one has something in the project, to which this is the way
//  3. infrastructure, project: as ever
//  4. remove: what is in the cloud, until it is looked for and nothing is found
//  5. the finalizer
//
// Where nothing was ever made, neither a cloud nor credentials are needed.
func (r *Reconciler) delete(ctx context.Context, s *scope) (ctrl.Result, error) {
	key := client.ObjectKeyFromObject(s.network)
	// A cache that is behind does not know yet that something was made.
	if err := r.Live.Get(ctx, key, s.network); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s.before = s.network.DeepCopy()
	if !controllerutil.ContainsFinalizer(s.network, v1alpha1.ClusterNetworkFinalizer) {
		return ctrl.Result{}, nil
	}
	steps := []reconcile.Step[*scope]{{Name: "guard", Run: r.guard}}
	if s.network.Status.ProjectID != "" {
		steps = append(steps, []reconcile.Step[*scope]{
			{Name: "machines", Run: r.awaitMachines},
			{Name: "infrastructure", Run: r.readInfrastructure},
			{Name: "project", Run: r.open},
			{Name: "remove", Run: remove},
		}...)
	}
	if wait := r.memory.wait(s, r.Now()); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if err := reconcile.Run(ctx, s, steps); err != nil {
		s.infra = nil // what is waited for does not depend on it
		return r.finish(ctx, s, err)
	}
	r.memory.forget(key)
	controllerutil.RemoveFinalizer(s.network, v1alpha1.ClusterNetworkFinalizer)
	patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Patch(ctx, s.network, patch, client.FieldOwner(v1alpha1.FieldOwner)))
}

// guard keeps the network of a Cluster that nobody has deleted: nodes have their ports in it.
func (r *Reconciler) guard(ctx context.Context, s *scope) error {
	return guard.ClusterDeleted(ctx, r.Live, s.network.Spec.ClusterRef, "the network stays")
}

// awaitMachines waits until no Machine has anything in the project. A namespace that is
// deleted as a whole takes the network and its Machines at the same time.
func (r *Reconciler) awaitMachines(ctx context.Context, s *scope) error {
	var all v1alpha1.MachineList
	if err := r.Live.List(ctx, &all, client.InNamespace(s.network.Namespace)); meta.IsNoMatchError(err) {
		return nil // their kind has been removed, and with it the last one
	} else if err != nil {
		return err
	}
	for i := range all.Items {
		if m := &all.Items[i]; m.Status.ProjectID != "" && controllerutil.ContainsFinalizer(m, v1alpha1.MachineFinalizer) {
			return reconcile.WaitFor(firstRetry, "DeletingMachines", "waiting until the Machine %s has nothing left in the cloud", m.Name)
		}
	}
	return nil
}

// remains is what is there of a network in the cloud.
type remains struct {
	networks []network
	subnets  []subnets.Subnet
	routers  []routers.Router
	groups   []groups.SecGroup
	// ports are those in the networks, grouped those that have one of the groups, and routed
	// those of the routers.
	ports, grouped, routed []ports.Port
}

func (m *remains) empty() bool {
	return len(m.networks)+len(m.subnets)+len(m.routers)+len(m.groups) == 0
}

// remove deletes what carries the owner key of this Cluster, and looks for it once more: what
// was asked for by somebody who has ended meanwhile may have been done last of all.
func remove(ctx context.Context, s *scope) error {
	for range 3 {
		found, err := s.cloud.find(ctx, s.network)
		if err != nil {
			return s.project.Outcome(err, "looking for what is to be deleted")
		}
		if found.empty() {
			return nil
		}
		if err := found.blocked(); err != nil {
			return err
		}
		if err := s.cloud.remove(ctx, found); err != nil {
			return s.stuck(err)
		}
	}
	return reconcile.WaitFor(firstRetry, "DeletingNetwork", "waiting until the cloud shows no more of what was deleted")
}

// find looks for all that was made: of an existing network nothing but the group.
func (c *cloud) find(ctx context.Context, n *v1alpha1.ClusterNetwork) (*remains, error) {
	known, found := n.Status, &remains{}
	var err error
	if found.groups, err = c.groups().All(ctx, known.NodeSecurityGroupID); err != nil {
		return nil, err
	}
	if n.Spec.Existing == nil {
		if found.networks, err = c.networks().All(ctx, known.NetworkID); err != nil {
			return nil, err
		}
		if found.subnets, err = c.subnets("", subnets.CreateOpts{}).All(ctx, known.SubnetID); err != nil {
			return nil, err
		}
		if found.routers, err = c.routers("").All(ctx, known.RouterID); err != nil {
			return nil, err
		}
	}
	for _, n := range found.networks {
		in, err := c.ports(ctx, ports.ListOpts{NetworkID: n.ID})
		if err != nil {
			return nil, err
		}
		found.ports = append(found.ports, in...)
	}
	for _, r := range found.routers {
		of, err := c.ports(ctx, ports.ListOpts{DeviceID: r.ID})
		if err != nil {
			return nil, err
		}
		found.routed = append(found.routed, of...)
	}
	for _, g := range found.groups {
		with, err := c.ports(ctx, ports.ListOpts{SecurityGroups: []string{g.ID}})
		if err != nil {
			return nil, err
		}
		found.grouped = append(found.grouped, with...)
	}
	return found, nil
}

// own reports whether a port goes with what is deleted: those of our routers are removed,
// and those of Neutron's own it removes itself.
func (m *remains) own(p ports.Port) bool {
	switch p.DeviceOwner {
	case "network:dhcp", "network:distributed", "network:floatingip_agent_gateway":
		return true
	}
	return slices.ContainsFunc(m.routers, func(r routers.Router) bool { return r.ID == p.DeviceID })
}

// blocked names the ports that others have made. Nothing is deleted while there are any: it
// would break what uses them.
func (m *remains) blocked() error {
	var names []string
	for _, p := range append(slices.Clone(m.ports), m.grouped...) {
		if name := portName(p); !m.own(p) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, p := range m.routed {
		if isInterface(p.DeviceOwner) && !slices.ContainsFunc(m.networks, func(n network) bool { return n.ID == p.NetworkID }) {
			names = append(names, portName(p))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return reconcile.WaitFor(project.ProblemInterval, "PortsInUse", "the network is in use by %s: delete what that belongs to, such as load balancers and servers, and take other subnets off the router", some(names))
}

func portName(p ports.Port) string {
	name := "port " + p.ID
	if len(p.FixedIPs) > 0 {
		name += " (" + p.FixedIPs[0].IPAddress + ")"
	}
	if p.DeviceOwner != "" {
		name += " of " + strings.TrimSpace(p.DeviceOwner+" "+p.DeviceID)
	}
	return name
}

// some are the first few of several, in words.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// remove deletes in the order in which one thing lets go of the next.
func (c *cloud) remove(ctx context.Context, m *remains) error {
	for _, p := range m.ports {
		if !isInterface(p.DeviceOwner) {
			continue
		}
		_, err := of(routers.RemoveInterface(ctx, c.ServiceClient, p.DeviceID, routers.RemoveInterfaceOpts{PortID: p.ID}).Extract())
		if err != nil && !openstack.IsKind(err, openstack.NotFound) {
			return err
		}
	}
	var gone []func() error
	for _, r := range m.routers {
		gone = append(gone, func() error { return c.routers("").Delete(ctx, r.ID) })
	}
	for _, s := range m.subnets {
		gone = append(gone, func() error { return c.subnets("", subnets.CreateOpts{}).Delete(ctx, s.ID) })
	}
	for _, n := range m.networks {
		gone = append(gone, func() error { return c.networks().Delete(ctx, n.ID) })
	}
	for _, g := range m.groups {
		gone = append(gone, func() error { return c.groups().Delete(ctx, g.ID) })
	}
	for _, remove := range gone {
		if err := remove(); err != nil && !openstack.IsKind(err, openstack.NotFound) {
			return err
		}
	}
	return nil
}

// stuck is why something could not be deleted. Neutron's words name what is in the way.
func (s *scope) stuck(err error) error {
	if e := openstack.As(err); e != nil && e.Kind == openstack.Conflict {
		return reconcile.WaitFor(project.ProblemInterval, "InUse", "%v: delete what uses it, such as floating IPs, further interfaces of the router, or ports", e)
	}
	return s.project.Outcome(err, "deleting")
}
