package cluster

import (
	"cmp"
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// checkInfrastructure checks that the Infrastructure is there, and offers a version that the
// Cluster begins to go to. What runs, or is on its way, goes on when it is offered no longer.
func (r *Reconciler) checkInfrastructure(ctx context.Context, cluster *v1alpha1.Cluster, begins bool) error {
	ref := cluster.Spec.InfrastructureRef
	if ref == nil {
		return nil
	}
	infra := &v1alpha1.Infrastructure{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: ref.Name}, infra)
	if apierrors.IsNotFound(err) {
		return reconcile.UserError("InfrastructureNotFound",
			"Infrastructure %s does not exist: create it, or create the cluster with one of 'kubectl get infrastructures'", ref.Name)
	}
	if err != nil || cluster.Status.Version == cluster.Spec.Version || !begins {
		return err
	}
	offers := func(r v1alpha1.InfrastructureRelease) bool { return r.Release == cluster.Spec.Version }
	if !slices.ContainsFunc(infra.Spec.Releases, offers) {
		return reconcile.UserError("ReleaseNotOffered",
			"Infrastructure %s does not offer version %s: choose one of its spec.releases ('marina infrastructure list -o yaml' shows them), or have it added", ref.Name, cluster.Spec.Version)
	}
	return nil
}

// observeNetwork finds the network of a Cluster that has one. Others cost no request.
func (s *scope) observeNetwork(ctx context.Context, from client.Reader) error {
	if s.cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	network := &v1alpha1.ClusterNetwork{}
	err := from.Get(ctx, client.ObjectKey{Namespace: NamespaceName(s.cluster), Name: v1alpha1.NameClusterNetwork}, network)
	if err == nil {
		s.network = network
	}
	return client.IgnoreNotFound(err)
}

// ensureNetwork makes the ClusterNetwork. Other credentials are given to it at any time,
// also while the spec is refused or has to wait: with those that have ended nothing works.
func (r *Reconciler) ensureNetwork(ctx context.Context, s *scope) error {
	if s.nothingToKeep() || s.cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	want := desiredNetwork(s.cluster)
	if want.Spec.Resync = resyncOf(s.network, s.running); s.network != nil && reconcile.Same(want, s.network, want.Spec, s.network.Spec) {
		return nil
	}
	return reconcile.Apply(ctx, r.Client, want)
}

// networkAsAsked reports whether a network is what the spec asks for.
func networkAsAsked(cluster *v1alpha1.Cluster, live *v1alpha1.ClusterNetwork) bool {
	if cluster.Spec.InfrastructureRef == nil {
		return true
	}
	want := desiredNetwork(cluster)
	want.Spec.Resync = resyncOf(live, nil)
	return live != nil && reconcile.Same(want, live, want.Spec, live.Spec)
}

// desiredNetwork carries its finalizer from the start, as a control plane does.
func desiredNetwork(cluster *v1alpha1.Cluster) *v1alpha1.ClusterNetwork {
	spec := cluster.Spec
	network := &v1alpha1.ClusterNetwork{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:  NamespaceName(cluster),
			Name:       v1alpha1.NameClusterNetwork,
			Labels:     labelsOf(cluster),
			Finalizers: []string{v1alpha1.ClusterNetworkFinalizer},
		},
		Spec: v1alpha1.ClusterNetworkSpec{
			ClusterRef:        v1alpha1.ClusterReference{Namespace: cluster.Namespace, Name: cluster.Name, UID: cluster.UID},
			InfrastructureRef: *spec.InfrastructureRef,
			CredentialsRef:    *spec.CredentialsRef,
			Existing:          spec.Network.Existing,
			PodCIDR:           spec.Network.PodCIDR,
			ServiceCIDR:       spec.Network.ServiceCIDR,
		},
	}
	if spec.Network.Existing == nil {
		network.Spec.NodeCIDR = cmp.Or(spec.Network.NodeCIDR, v1alpha1.DefaultNodeCIDR)
	}
	return network
}

// networkError is why nodes cannot have ports yet, nil when they can or are of no concern.
func networkError(cluster *v1alpha1.Cluster, network *v1alpha1.ClusterNetwork) error {
	if cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	c := networkReady(network)
	switch {
	case c == nil:
		return reconcile.Wait("CreatingNetwork", "the network of the nodes is being created")
	case c.Status == metav1.ConditionTrue:
		return nil
	case c.Status == metav1.ConditionFalse:
		return reconcile.UserError(c.Reason, "%s", c.Message)
	default:
		return reconcile.Wait(c.Reason, "%s", c.Message)
	}
}

func networkReady(network *v1alpha1.ClusterNetwork) *metav1.Condition {
	if network == nil {
		return nil
	}
	return meta.FindStatusCondition(network.Status.Conditions, v1alpha1.ConditionReady)
}

// networkFailed reports whether a network needs a person.
func networkFailed(network *v1alpha1.ClusterNetwork) bool {
	c := networkReady(network)
	return c != nil && c.Status == metav1.ConditionFalse
}

// withNetwork shows the network in the status, and adds what it lacks to whether the
// control plane is ready: what needs a person comes first, what passes by itself last.
func (s *scope) withNetwork(ready error) error {
	if s.cluster.Spec.InfrastructureRef == nil || s.nothingToKeep() {
		return ready
	}
	if s.cluster.DeletionTimestamp != nil && s.network == nil {
		meta.RemoveStatusCondition(&s.cluster.Status.Conditions, v1alpha1.ConditionNetworkReady)
		return ready
	}
	err := networkError(s.cluster, s.network)
	if c := networkReady(s.network); c != nil {
		mirror := *c
		mirror.Type, mirror.ObservedGeneration = v1alpha1.ConditionNetworkReady, s.cluster.Generation
		meta.SetStatusCondition(&s.cluster.Status.Conditions, mirror)
	} else {
		reconcile.SetCondition(&s.cluster.Status.Conditions, v1alpha1.ConditionNetworkReady, s.cluster.Generation, err, "")
	}
	if userError(err) != nil {
		return err
	}
	return cmp.Or(ready, err)
}

// networkMade is the step of a creation for the network, of a Cluster that has one.
func (s situation) networkMade() []operation.Step {
	if s.cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	made := operation.Step{Name: "Network", Done: networkError(s.cluster, s.network) == nil}
	if networkFailed(s.network) {
		made.Message = networkReady(s.network).Message
	}
	return []operation.Step{made}
}

// networkGone is that of a deletion.
func (s situation) networkGone() []operation.Step {
	if s.cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	return []operation.Step{{Name: "Network", Done: s.network == nil, Message: "the network of the nodes is still there"}}
}

// giveCredentials gives a network, and by it the nodes, other credentials: those that it has
// may be what a deletion waits for.
func (r *Reconciler) giveCredentials(ctx context.Context, s *scope) error {
	ref := s.cluster.Spec.CredentialsRef
	if s.network == nil || ref == nil || *ref == s.network.Spec.CredentialsRef {
		return nil
	}
	before := s.network.DeepCopy()
	s.network.Spec.CredentialsRef = *ref
	return client.IgnoreNotFound(r.Client.Patch(ctx, s.network, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner)))
}

// deleteNetwork waits until nothing is left in the cloud. Its status tells what it waits
// for.
func (r *Reconciler) deleteNetwork(ctx context.Context, s *scope) error {
	if s.network == nil {
		return nil
	}
	if s.network.DeletionTimestamp == nil {
		if err := reconcile.Delete(ctx, r.Client, s.network); err != nil {
			return err
		}
	}
	if c := meta.FindStatusCondition(s.network.Status.Conditions, v1alpha1.ConditionDeleting); c != nil {
		return reconcile.Wait(c.Reason, "%s", c.Message)
	}
	return reconcile.Wait("DeletingNetwork", "waiting for the network of the nodes to be deleted")
}
