package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// NamespaceName is the management namespace of a Cluster. The first part of the
// UID keeps apart clusters of one name, in two projects or one after the other.
func NamespaceName(cluster *v1alpha1.Cluster) string {
	return fmt.Sprintf("marina-%s-%.8s", cluster.Name, cluster.UID)
}

// observe finds the control plane, the network, the pools and the history, which status is about
// whatever the steps come to.
func (r *Reconciler) observe(ctx context.Context, from client.Reader, s *scope) error {
	operations, err := r.book().Of(ctx, client.ObjectKeyFromObject(s.cluster))
	if err != nil {
		return err
	}
	s.history, s.operations = operations, operation.About(operations, s.cluster)
	hcp := &v1alpha1.HostedControlPlane{}
	err = from.Get(ctx, client.ObjectKey{Namespace: NamespaceName(s.cluster), Name: v1alpha1.NameHostedControlPlane}, hcp)
	if err == nil {
		s.hcp = hcp
	}
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err := r.observePools(ctx, from, s); err != nil {
		return err
	}
	return s.observeNetwork(ctx, from)
}

// accept finds out whether the spec can be taken up. What a person has to change stops
// nothing else: what runs is looked after as it was.
func (r *Reconciler) accept(ctx context.Context, s *scope) error {
	err := r.checkSpec(ctx, s)
	if err == nil {
		err = r.preflight(ctx, s)
	}
	if s.refused = userError(err); s.refused != nil {
		err = nil
	} else if err == nil && s.hcp != nil && sameControlPlane(s.desired(), s.hcp) {
		if s.refused = refusedBy(s.hcp); s.refused != nil && s.situation(r.Now()).triesAgain() {
			s.refused, s.again = nil, reconcile.Earliest(s.again, again)
		}
	}
	return err
}

// sameControlPlane reports whether a control plane is what the spec asks for, besides
// what Operations ask for.
func sameControlPlane(want, live *v1alpha1.HostedControlPlane) bool {
	bare := live.DeepCopy().Spec
	bare.Restarts, bare.Resync, bare.CertificatesNotBefore, bare.Paused = nil, "", nil, false
	return reconcile.Same(want, live, want.Spec, bare)
}

// refusedBy is what a control plane says against its spec.
func refusedBy(hcp *v1alpha1.HostedControlPlane) error {
	c := meta.FindStatusCondition(hcp.Status.Conditions, v1alpha1.ConditionSpecAccepted)
	if c == nil || c.Status != metav1.ConditionFalse || c.ObservedGeneration != hcp.Generation {
		return nil
	}
	return reconcile.UserError(c.Reason, "%s", c.Message)
}

// checkSpec checks that what the spec names exists, and that the step from what runs
// is allowed. The CRD refuses most of what is wrong when it is written; across objects
// nothing is atomic, so that the last word is here. What has begun goes on, whatever becomes
// of what was offered.
func (r *Reconciler) checkSpec(ctx context.Context, s *scope) error {
	spec, status, begins := s.cluster.Spec, &s.cluster.Status, s.takesUpVersion()
	to, err := release.Parse(spec.Version)
	if err != nil {
		return reconcile.UserError("InvalidVersion", "%v", err)
	}
	if s.hcp != nil {
		if err := release.CanReturn(s.hcp.Status.Committed, to); err != nil {
			return reconcile.UserError("UpgradeRefused", "%v", err)
		}
	}
	// What counts is what runs: going back to it is always allowed, and before
	// anything has run there is nothing to lose.
	if status.Version != "" && status.Version != spec.Version {
		from, err := release.Parse(status.Version)
		if err != nil {
			return err
		}
		if err := release.CanUpgrade(from, to); err != nil {
			return reconcile.UserError("UpgradeRefused", "%v", err)
		}
		if err := checkPoolVersions(s.pools, to); err != nil && begins {
			return err
		}
	}
	err = r.lookUp(ctx, spec.Version, &v1alpha1.KubernetesRelease{})
	switch {
	case apierrors.IsNotFound(err) && (status.Version == spec.Version || !begins):
		// What runs goes on, and may be upgraded to one that there is.
	case apierrors.IsNotFound(err):
		return reconcile.UserError("ReleaseNotFound",
			"version %s is not offered: choose one of 'kubectl get kubernetesreleases'", spec.Version)
	case err != nil:
		return err
	}
	class := &v1alpha1.HostingClass{}
	err = r.lookUp(ctx, spec.HostingClassRef.Name, class)
	if apierrors.IsNotFound(err) {
		return reconcile.UserError("HostingClassNotFound",
			"HostingClass %s does not exist: create it, or create the cluster with one of 'kubectl get hostingclasses'", spec.HostingClassRef.Name)
	}
	if err != nil {
		return err
	}
	s.class = class
	return r.checkInfrastructure(ctx, s.cluster, begins)
}

// lookUp finds what a spec names. Who makes that and then the Cluster is not refused because the
// cache hears of them in another order.
func (r *Reconciler) lookUp(ctx context.Context, name string, object client.Object) error {
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, object)
	if apierrors.IsNotFound(err) {
		err = r.Live.Get(ctx, client.ObjectKey{Name: name}, object)
	}
	return err
}

// operate decides which Operation runs and writes down how far it is, before anything
// is done for it. Then the spec is taken up, unless it has to wait.
func (r *Reconciler) operate(ctx context.Context, s *scope) error {
	book, at := r.book(), s.situation(r.Now())
	if err := book.CloseOthers(ctx, s.history, s.cluster); err != nil {
		return err
	}
	d := operation.Decide(at, s.operations)
	if !d.Create {
		s.running = d.Running
	}
	again, err := book.Enact(ctx, at, s.cluster, s.history, d)
	if s.again = reconcile.Earliest(s.again, again); err != nil {
		return err
	}
	s.running = d.Running
	if err := r.recordRenewal(ctx, s); err != nil {
		return err
	}
	if s.refused == nil && !s.held() {
		s.cluster.Status.Accepted = &v1alpha1.AcceptedSpec{Version: s.desired().Spec.Version, Generation: s.cluster.Generation}
	}
	return nil
}

// held reports whether a change of the spec waits, for the Operation that runs or for what an
// upgrade cannot begin before.
func (s *scope) held() bool {
	switch accepted := s.cluster.Status.Accepted; {
	case s.waits != nil:
		return true
	case s.running == nil || carriesOutAnySpec(s.running):
		return false
	case s.running.Spec.Type == v1alpha1.OperationUpgrade && s.running.Status.Generation == s.cluster.Generation:
		return false
	case accepted != nil && accepted.Generation == s.cluster.Generation:
		return false
	default:
		// An upgrade that has yet to begin takes along what was changed while it waited.
		return s.running.Spec.Type != v1alpha1.OperationUpgrade || !s.takesUpVersion()
	}
}

// nothingToKeep reports whether nothing was made yet, and nothing is to be made: the spec is
// refused, or the Cluster has no NodePool.
func (s *scope) nothingToKeep() bool {
	return s.hcp == nil && (s.refused != nil || s.situation(time.Time{}).awaitsPool() != nil)
}

// ensureNamespace makes the management namespace, in which users have no rights.
func (r *Reconciler) ensureNamespace(ctx context.Context, s *scope) error {
	if s.nothingToKeep() {
		return nil
	}
	labels := labelsOf(s.cluster)
	// What is hosted there needs no rights, and nobody else is to get any by a pod there.
	labels["pod-security.kubernetes.io/enforce"] = "restricted"
	want := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: NamespaceName(s.cluster), Labels: labels}}
	s.cluster.Status.Namespace = want.Name
	live := &corev1.Namespace{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(want), live)
	switch {
	case apierrors.IsNotFound(err):
		return reconcile.Apply(ctx, r.Client, want)
	case err != nil:
		return err
	case live.DeletionTimestamp != nil:
		return reconcile.Wait("NamespaceTerminating", "namespace %s was deleted and is made again when it is gone", want.Name)
	case !reconcile.Same(want, live, nil, nil):
		return reconcile.Apply(ctx, r.Client, want)
	}
	return nil
}

// ensureControlPlane makes the HostedControlPlane as the spec and the class say, and
// as the Operation that runs asks. A spec that is refused or has to wait changes
// nothing of it.
func (r *Reconciler) ensureControlPlane(ctx context.Context, s *scope) error {
	if s.nothingToKeep() {
		return nil
	}
	want := s.desired()
	if s.refused != nil || s.held() {
		want.Spec = s.hcp.Spec
	}
	want.Spec = withActions(want.Spec, s.situation(r.Now()), s.running)
	if s.hcp != nil && (s.refused != nil || s.waits != nil) {
		// What was stopped does not go on by being tried again before it may.
		want.Spec.Paused = want.Spec.Paused || s.hcp.Spec.Paused
	}
	if s.hcp != nil && reconcile.Same(want, s.hcp, want.Spec, s.hcp.Spec) {
		return nil
	}
	return reconcile.Apply(ctx, r.Client, want)
}

// desired is the control plane that the spec asks for, of the version that it was told last if
// another one was cancelled before it began: what has not begun holds nothing up.
func (s *scope) desired() *v1alpha1.HostedControlPlane {
	want := desiredControlPlane(s.cluster, s.class)
	if s.situation(time.Time{}).neverBegun() {
		want.Spec.Version = s.hcp.Spec.Version
	}
	return want
}

// desiredControlPlane carries its finalizer from the start, so that nothing can be
// started for an object that is already gone.
func desiredControlPlane(cluster *v1alpha1.Cluster, class *v1alpha1.HostingClass) *v1alpha1.HostedControlPlane {
	hcp := &v1alpha1.HostedControlPlane{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:  NamespaceName(cluster),
			Name:       v1alpha1.NameHostedControlPlane,
			Labels:     labelsOf(cluster),
			Finalizers: []string{v1alpha1.HostedControlPlaneFinalizer},
		},
		Spec: v1alpha1.HostedControlPlaneSpec{
			ClusterRef: v1alpha1.ClusterReference{Namespace: cluster.Namespace, Name: cluster.Name, UID: cluster.UID},
			Version:    cluster.Spec.Version,
			Network:    cluster.Spec.Network.NetworkSpec,
			CertSANs:   cluster.Spec.Access.CertSANs,
		},
	}
	if class != nil {
		hcp.Spec.HostingSpec, hcp.Spec.EtcdClusters = class.Spec.HostingSpec, class.Spec.EtcdClusters
	}
	return hcp
}

func labelsOf(cluster *v1alpha1.Cluster) map[string]string {
	return map[string]string{
		v1alpha1.LabelShard:            v1alpha1.DefaultShard,
		v1alpha1.LabelClusterUID:       string(cluster.UID),
		v1alpha1.LabelClusterName:      cluster.Name,
		v1alpha1.LabelClusterNamespace: cluster.Namespace,
	}
}
