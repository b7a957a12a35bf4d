package etcd

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// reserve asks for the members' addresses.
func (r *ClusterReconciler) reserve(ctx context.Context, s *clusterScope) (err error) {
	s.addresses, err = r.Host.Reserve(ctx, host.Reservation{
		Namespace: v1alpha1.SystemNamespace,
		Name:      component.EtcdName(s.cluster.Name),
		Replicas:  component.EtcdReplicas,
		Labels:    clusterLabels(s.cluster.Name),
		Ports:     component.EtcdPorts(),
	})
	if err == nil {
		s.cluster.Status.Endpoints = component.EtcdEndpoints(s.addresses)
	}
	return err
}

// apply runs the members as the spec says.
func (r *ClusterReconciler) apply(ctx context.Context, s *clusterScope) error {
	return r.Host.Apply(ctx, component.Etcd(component.EtcdInputs{
		Cluster:    s.cluster.Name,
		UID:        string(s.cluster.UID),
		Version:    s.cluster.Status.Version,
		Spec:       s.cluster.Spec,
		Formed:     s.cluster.Status.ClusterID != "",
		Absent:     s.absent(),
		Leaders:    s.leaders(),
		Serves:     s.serves(),
		Refusing:   s.refusing(),
		Expendable: s.expendable(),
		Addresses:  s.addresses,
		CAHash:     s.caHash[component.EtcdSecretCA],
		PeerCAHash: s.caHash[component.EtcdSecretPeerCA],
		Labels:     clusterLabels(s.cluster.Name),
	}))
}

// countTenants finds who is placed here.
func (r *ClusterReconciler) countTenants(ctx context.Context, s *clusterScope) (err error) {
	s.placed, err = placedOn(ctx, r.Client, s.cluster.Name)
	if err == nil {
		s.cluster.Status.Tenants = int32(len(s.placed))
	}
	return err
}

// placedOn lists the EtcdTenants of one EtcdCluster. They are the cache's own:
// nobody may change them.
func placedOn(ctx context.Context, c client.Reader, cluster string) ([]v1alpha1.EtcdTenant, error) {
	list := &v1alpha1.EtcdTenantList{}
	err := c.List(ctx, list, client.MatchingFields{IndexPlacement: cluster}, client.UnsafeDisableDeepCopy)
	return list.Items, err
}

// observe asks the host for the members.
func (r *ClusterReconciler) observe(ctx context.Context, s *clusterScope) (err error) {
	s.members, err = r.Host.Status(ctx, v1alpha1.SystemNamespace, component.EtcdName(s.cluster.Name))
	if err == nil {
		s.cluster.Status.ReadyMembers = int32(s.members.Ready)
	}
	return err
}

// awaitQuorum waits for two of three members; the host tells when one is ready.
func (r *ClusterReconciler) awaitQuorum(_ context.Context, s *clusterScope) error {
	if err := dataLost(s); err != nil {
		return err
	}
	if needed := s.members.Replicas/2 + 1; s.members.Ready < needed {
		return reconcile.Wait("NoQuorum", "%s; %d are needed", readiness(s.cluster, s.members), needed)
	}
	return nil
}

// enableAuthentication switches authentication on. As it goes through the quorum,
// its success is also the proof that etcd takes writes.
func (r *ClusterReconciler) enableAuthentication(ctx context.Context, s *clusterScope) error {
	admin, err := connect(ctx, r.Client, r.Pool, s.cluster)
	if err != nil {
		return err
	}
	return explain(ctx, admin, s.cluster.Name, "its preparation", admin.EnableAuthentication(ctx))
}
