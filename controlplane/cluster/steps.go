package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// NamespaceName is the management namespace of a Cluster. The first part of the
// UID keeps apart clusters of one name, in two projects or one after the other.
func NamespaceName(cluster *v1alpha1.Cluster) string {
	return fmt.Sprintf("marina-%s-%.8s", cluster.Name, cluster.UID)
}

// observe finds the control plane, which status is about whatever the steps come
// to.
func (r *Reconciler) observe(ctx context.Context, from client.Reader, s *scope) error {
	hcp := &v1alpha1.HostedControlPlane{}
	err := from.Get(ctx, client.ObjectKey{Namespace: NamespaceName(s.cluster), Name: v1alpha1.NameHostedControlPlane}, hcp)
	if err == nil {
		s.hcp = hcp
	}
	return client.IgnoreNotFound(err)
}

// accept takes the spec up, if what it names exists and the step from what was
// taken up before is allowed. The CRD refuses most of what is wrong when it is
// written; across objects nothing is atomic, so that the last word is here.
func (r *Reconciler) accept(ctx context.Context, s *scope) error {
	spec, status := s.cluster.Spec, &s.cluster.Status
	to, err := release.Parse(spec.Version)
	if err != nil {
		return reconcile.UserError("InvalidVersion", "%v", err)
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
	}
	err = r.Client.Get(ctx, client.ObjectKey{Name: spec.Version}, &v1alpha1.KubernetesRelease{})
	if apierrors.IsNotFound(err) {
		return reconcile.UserError("ReleaseNotFound",
			"version %s is not offered: choose one of 'kubectl get kubernetesreleases'", spec.Version)
	}
	if err != nil {
		return err
	}
	class := &v1alpha1.HostingClass{}
	err = r.Client.Get(ctx, client.ObjectKey{Name: spec.HostingClassRef.Name}, class)
	if apierrors.IsNotFound(err) {
		return reconcile.UserError("HostingClassNotFound",
			"HostingClass %s does not exist: create it, or create the cluster with one of 'kubectl get hostingclasses'", spec.HostingClassRef.Name)
	}
	if err != nil {
		return err
	}
	s.class = class
	status.Accepted = &v1alpha1.AcceptedSpec{Version: spec.Version}
	return nil
}

// ensureNamespace makes the management namespace, in which users have no rights.
func (r *Reconciler) ensureNamespace(ctx context.Context, s *scope) error {
	want := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: NamespaceName(s.cluster), Labels: labelsOf(s.cluster)}}
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

// ensureControlPlane makes the HostedControlPlane as the spec and the class say.
func (r *Reconciler) ensureControlPlane(ctx context.Context, s *scope) error {
	want := desiredControlPlane(s.cluster, s.class)
	if s.hcp != nil && reconcile.Same(want, s.hcp, want.Spec, s.hcp.Spec) {
		return nil
	}
	return reconcile.Apply(ctx, r.Client, want)
}

// desiredControlPlane carries its finalizer from the start, so that nothing can be
// started for an object that is already gone.
func desiredControlPlane(cluster *v1alpha1.Cluster, class *v1alpha1.HostingClass) *v1alpha1.HostedControlPlane {
	return &v1alpha1.HostedControlPlane{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:  NamespaceName(cluster),
			Name:       v1alpha1.NameHostedControlPlane,
			Labels:     labelsOf(cluster),
			Finalizers: []string{v1alpha1.HostedControlPlaneFinalizer},
		},
		Spec: v1alpha1.HostedControlPlaneSpec{
			ClusterRef:   v1alpha1.ClusterReference{Namespace: cluster.Namespace, Name: cluster.Name, UID: cluster.UID},
			Version:      cluster.Spec.Version,
			Network:      cluster.Spec.Network,
			CertSANs:     cluster.Spec.Access.CertSANs,
			Exposure:     class.Spec.Exposure,
			EtcdClusters: class.Spec.EtcdClusters,
		},
	}
}

func labelsOf(cluster *v1alpha1.Cluster) map[string]string {
	return map[string]string{
		v1alpha1.LabelShard:            v1alpha1.DefaultShard,
		v1alpha1.LabelClusterUID:       string(cluster.UID),
		v1alpha1.LabelClusterName:      cluster.Name,
		v1alpha1.LabelClusterNamespace: cluster.Namespace,
	}
}
