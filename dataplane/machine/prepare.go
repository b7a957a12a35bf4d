package machine

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// readNetwork reads the network of the namespace. A server that is there needs nothing of it
// but the way to its project.
func (r *Reconciler) readNetwork(ctx context.Context, s *scope) error {
	network := &v1alpha1.ClusterNetwork{}
	key := client.ObjectKey{Namespace: s.machine.Namespace, Name: v1alpha1.NameClusterNetwork}
	if err := r.Client.Get(ctx, key, network); apierrors.IsNotFound(err) {
		return reconcile.Wait("WaitingForNetwork", "there is no ClusterNetwork in %s yet, with which the project in the cloud is found", s.machine.Namespace)
	} else if err != nil {
		return err
	}
	infra, err := r.Projects.Infrastructure(ctx, network)
	if err != nil {
		return err
	}
	if network.Status.ProjectID == "" {
		return reconcile.Wait("WaitingForNetwork", "the project in the cloud is not known yet: the condition NetworkReady of the cluster says what the network waits for")
	}
	if known := s.machine.Status.ProjectID; known != "" && known != network.Status.ProjectID {
		return reconcile.UserError("CredentialsMismatch", "the network is in the project %s, and the server in the project %s: give credentials of that one", network.Status.ProjectID, known)
	}
	s.network, s.infra = network, infra
	s.feed = r.poller.feed(placeOf(infra, network.Status.ProjectID), r.Now())
	return nil
}

// open opens the project, if something is to be asked of the cloud. From then on the pass is
// one of those that may hold up others. Nothing tells of a Secret that is there again: it is
// looked for.
func (r *Reconciler) open(ctx context.Context, s *scope) error {
	if s.project != nil {
		return nil
	}
	if s.visit == nil {
		visit, err := r.Projects.Enter(s.infra)
		if err != nil {
			return err
		}
		s.visit = visit
	}
	err := r.logIn(ctx, s)
	if e := reconcile.As(err); e != nil && e.Kind == reconcile.KindUser {
		s.unasked = true
		again := *e
		again.After = soon(e.After)
		return &again
	}
	return err
}

func (r *Reconciler) logIn(ctx context.Context, s *scope) error {
	p, err := r.Projects.Open(ctx, s.network, s.infra)
	if err != nil {
		return err
	}
	if known := s.machine.Status.ProjectID; known != "" && known != p.ID {
		return reconcile.UserError("CredentialsMismatch", "the credentials are for the project %s (%s), and the server is in the project %s: give credentials of that one", p.Name, p.ID, known)
	}
	sc, err := p.Service(ctx, openstack.Compute)
	if err != nil {
		return p.Outcome(err, "looking for Nova")
	}
	s.project, s.compute = p, compute{sc}
	return nil
}

// prepare finds out what a server is made of. It asks nothing of the cloud.
func (s *scope) prepare() error {
	if !reconcile.IsTrue(s.network.Status.Conditions, v1alpha1.ConditionReady) || s.network.Status.NetworkID == "" || s.network.Status.NodeSecurityGroupID == "" {
		return reconcile.Wait("WaitingForNetwork", "no node can have a port in the network yet")
	}
	if err := s.resolve(); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	return nil
}

// resolve finds the ids of what the template names.
func (s *scope) resolve() error {
	t, infra := s.machine.Spec.Template, s.infra
	image := t.Image
	if at := slices.IndexFunc(infra.Status.Images, func(i v1alpha1.InfrastructureImage) bool { return i.Release == t.Release }); at >= 0 && image == "" {
		image = infra.Status.Images[at].ID
	}
	if image == "" {
		return reconcile.UserError("ImageNotFound", "Infrastructure %s has no image of release %s: add the release to its spec.releases, or see in 'marina infrastructure list -o wide' what it lacks", infra.Name, t.Release)
	}
	flavor := slices.IndexFunc(infra.Status.Flavors, func(f v1alpha1.InfrastructureFlavor) bool { return f.Name == t.Flavor })
	if flavor < 0 {
		return reconcile.UserError("FlavorNotFound", "Infrastructure %s has no flavor %s: choose another one for the pool, or add it to its spec.flavors; 'marina infrastructure list -o wide' says what it lacks", infra.Name, t.Flavor)
	}
	s.flavor = infra.Status.Flavors[flavor]
	if t.DiskGiB == 0 && s.flavor.DiskGiB == 0 {
		return reconcile.UserError("NoDisk", "the flavor %s has no disk: give the pool a diskGiB, or another flavor", t.Flavor)
	}
	if t.FloatingIP && s.network.Status.ExternalNetworkID == "" {
		return reconcile.UserError("NoRouter", "there is no router that leads from the cluster's network to an external one, so that nodes can have no floating IPs: give the subnet %s a router with a gateway ('openstack router add subnet'), or create the pool without floatingIPs", s.network.Status.SubnetID)
	}
	status := &s.machine.Status
	status.ProjectID, status.ImageID, status.FlavorID = s.network.Status.ProjectID, image, s.flavor.ID
	return nil
}
