package nodepool

import (
	"context"
	"fmt"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// cloudAgain is when a cloud is asked again that did not answer.
const cloudAgain = 30 * time.Second

// ensureGroup makes the server group of a pool whose nodes are kept apart, before any of them:
// no server can join one later. The cloud is asked only when nodes are to be made.
func (r *Reconciler) ensureGroup(ctx context.Context, s *scope) error {
	if s.pool.Spec.AntiAffinity == "" || s.held() {
		return nil
	}
	known := s.pool.Status.ServerGroupID
	if known != "" && plan(s.wish(), s.machines).create == 0 {
		return nil
	}
	p, groups, err := r.openGroups(ctx, s)
	if err == nil {
		var group *servergroups.ServerGroup
		if group, err = groups.Ensure(ctx, known); err == nil {
			return r.writeGroup(ctx, s, group.ID)
		}
		err = p.Outcome(err, "making the server group")
	}
	return s.hold(err)
}

// hold has the pool wait for the cloud, or for who can change what it has against it. Errors of
// another kind stay.
func (s *scope) hold(err error) error {
	e := ofCloud(err)
	if e == nil {
		return err
	}
	s.blocked = e
	return nil
}

// writeGroup writes the server group down before a node is made in it, by which it is known
// from any other of its name.
func (r *Reconciler) writeGroup(ctx context.Context, s *scope, id string) error {
	if s.pool.Status.ServerGroupID == id {
		return nil
	}
	written := s.before.DeepCopy()
	written.Status.ServerGroupID = id
	// A patch has no required fields but those that change.
	if err := r.Client.Status().Patch(ctx, written, client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("writing the server group down: %w", err)
	}
	s.before = written
	s.pool.Status.ServerGroupID, s.pool.ResourceVersion = id, written.ResourceVersion
	return nil
}

// deleteGroup deletes the server group, and looks for it once more: one that was asked for
// by somebody who has ended meanwhile may have been made last of all. Without the Cluster or
// its network nobody knows in which project it is, or it was never made.
func (r *Reconciler) deleteGroup(ctx context.Context, s *scope) error {
	if s.pool.Spec.AntiAffinity == "" || s.cluster == nil || s.cluster.Status.Namespace == "" {
		return nil
	}
	s.network = &v1alpha1.ClusterNetwork{}
	key := types.NamespacedName{Namespace: s.cluster.Status.Namespace, Name: v1alpha1.NameClusterNetwork}
	if err := r.Live.Get(ctx, key, s.network); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	if s.network.Status.ProjectID == "" {
		return nil
	}
	p, groups, err := r.openGroups(ctx, s)
	if err != nil {
		return orItself(ofCloud(err), err)
	}
	for range 3 {
		found, err := groups.All(ctx, s.pool.Status.ServerGroupID)
		for i := 0; err == nil && i < len(found); i++ {
			if err = groups.Delete(ctx, found[i].ID); openstack.IsKind(err, openstack.NotFound) {
				err = nil
			}
		}
		if err != nil {
			err = p.Outcome(err, "deleting the server group")
			return orItself(ofCloud(err), err)
		}
		if len(found) == 0 {
			return nil
		}
	}
	return reconcile.WaitFor(cloudAgain, "DeletingServerGroup", "waiting until the cloud shows the server group no more")
}

func orItself(e *reconcile.Error, err error) error {
	if e != nil {
		return e
	}
	return err
}

// ofCloud is an outcome that the cloud or its credentials are the reason of, as something to
// wait for; nil if err is none.
func ofCloud(err error) *reconcile.Error {
	e := reconcile.As(err)
	if e == nil || e.Kind == reconcile.KindRetry && e.Reason != project.ReasonUnreachable {
		return nil
	}
	again := *e
	if e.Kind == reconcile.KindRetry {
		again.Kind = reconcile.KindWait
	}
	if again.After == 0 {
		again.After = cloudAgain
	}
	return &again
}

// openGroups opens the project, and the server groups in it that are of the pool.
func (r *Reconciler) openGroups(ctx context.Context, s *scope) (*project.Project, openstack.Owned[servergroups.ServerGroup], error) {
	var none openstack.Owned[servergroups.ServerGroup]
	p, err := r.open(ctx, s)
	if err != nil {
		return nil, none, err
	}
	sc, err := p.Service(ctx, openstack.Compute)
	if err != nil {
		return nil, none, p.Outcome(err, "looking for Nova")
	}
	return p, serverGroups(sc, s.pool, s.network.Spec.ClusterRef.UID), nil
}

// open opens the project that the nodes are in.
func (r *Reconciler) open(ctx context.Context, s *scope) (*project.Project, error) {
	infra, err := r.Projects.Infrastructure(ctx, s.network)
	if err != nil {
		return nil, err
	}
	return r.Projects.Open(ctx, s.network, infra)
}

// serverGroups are those of a pool of a Cluster.
func serverGroups(sc *gophercloud.ServiceClient, pool *v1alpha1.NodePool, cluster types.UID) openstack.Owned[servergroups.ServerGroup] {
	name := openstack.ServerGroupName(pool.Name, openstack.Mark{Cluster: cluster, Owner: pool.UID})
	policy := "soft-anti-affinity"
	if pool.Spec.AntiAffinity == v1alpha1.AntiAffinityHard {
		policy = "anti-affinity"
	}
	return openstack.Owned[servergroups.ServerGroup]{
		ID: func(g *servergroups.ServerGroup) string { return g.ID },
		Find: func(ctx context.Context) ([]servergroups.ServerGroup, error) {
			pages, err := servergroups.List(sc, nil).AllPages(ctx)
			if err != nil {
				return nil, openstack.Classify(openstack.Compute, err)
			}
			all, err := servergroups.ExtractServerGroups(pages)
			var found []servergroups.ServerGroup
			for _, g := range all {
				if openstack.IsServerGroup(g.Name, pool.Name, pool.UID) {
					found = append(found, g)
				}
			}
			return found, openstack.Classify(openstack.Compute, err)
		},
		Get: func(ctx context.Context, id string) (*servergroups.ServerGroup, error) {
			g, err := servergroups.Get(ctx, sc, id).Extract()
			return g, openstack.Classify(openstack.Compute, err)
		},
		Create: func(ctx context.Context) (*servergroups.ServerGroup, error) {
			g, err := servergroups.Create(ctx, sc, servergroups.CreateOpts{Name: name, Policy: policy}).Extract()
			return g, openstack.Classify(openstack.Compute, err)
		},
		Mark: func(context.Context, string) error { return nil },
		Delete: func(ctx context.Context, id string) error {
			return openstack.Classify(openstack.Compute, servergroups.Delete(ctx, sc, id).ExtractErr())
		},
	}
}
