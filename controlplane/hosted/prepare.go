package hosted

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// findRelease reads the KubernetesRelease that the control plane is to run.
func (r *Reconciler) findRelease(ctx context.Context, s *scope) error {
	release, err := r.releaseNamed(ctx, s.version())
	s.release = release
	return err
}

// releaseNotFound is the reason of what asks for a release that there is not.
const releaseNotFound = "ReleaseNotFound"

// withoutRelease is what a pass came to. Where the release is gone of what runs already nobody
// has asked for anything that cannot be: the spec is not refused, which would keep the Cluster
// from being upgraded to another one. What needs the release waits for it.
func (s *scope) withoutRelease(err error) error {
	e := reconcile.As(err)
	if e == nil || e.Reason != releaseNotFound || s.hcp.Status.Version == "" || s.changesVersion() {
		return err
	}
	return reconcile.WaitFor(time.Minute, e.Reason, "KubernetesRelease %s, which runs, does not exist any more: publish it again, or upgrade; until then what is inside the cluster is not looked after", s.hcp.Spec.Version)
}

// releaseNamed reads a KubernetesRelease.
func (r *Reconciler) releaseNamed(ctx context.Context, name string) (*v1alpha1.KubernetesRelease, error) {
	release := &v1alpha1.KubernetesRelease{}
	err := r.Client.Get(ctx, types.NamespacedName{Name: name}, release)
	if apierrors.IsNotFound(err) {
		return nil, reconcile.UserError(releaseNotFound,
			"KubernetesRelease %s does not exist: publish it, or choose a version of 'kubectl get kubernetesreleases'", name)
	}
	return release, err
}

// reserve asks the host for the addresses of the three components, which
// certificates and kubeconfigs depend on.
func (r *Reconciler) reserve(ctx context.Context, s *scope) error {
	for _, name := range components {
		reservation := host.Reservation{
			Namespace: s.hcp.Namespace,
			Name:      name,
			Replicas:  component.HostedReplicas,
			Labels:    labelsOf(s.hcp),
			Ports:     component.Ports(name, s.hcp.Spec.NodeAccess),
			Balanced:  component.BalancedPorts(name, s.hcp.Spec.NodeAccess),
			Exposure:  s.hcp.Spec.Exposure,
		}
		addresses, err := r.Host.Reserve(ctx, reservation)
		if err != nil {
			return err
		}
		s.addresses[name] = addresses
	}
	return nil
}

// components in the order in which they start.
var components = []string{component.NameAPIServer, component.NameControllerManager, component.NameScheduler}

// requestEtcdTenant asks for a place in etcd. It carries its finalizer from the
// start, so that nothing can be made in etcd for an object that is already gone.
func (r *Reconciler) requestEtcdTenant(ctx context.Context, s *scope) error {
	want := &v1alpha1.EtcdTenant{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       s.hcp.Namespace,
			Name:            v1alpha1.NameEtcdTenant,
			Labels:          labelsOf(s.hcp),
			Finalizers:      []string{v1alpha1.EtcdTenantFinalizer},
			OwnerReferences: []metav1.OwnerReference{ownerOf(s.hcp)},
		},
		Spec: v1alpha1.EtcdTenantSpec{
			TenantUID:        string(s.hcp.Spec.ClusterRef.UID),
			EtcdClusters:     s.hcp.Spec.EtcdClusters,
			ClientSecretName: v1alpha1.SecretEtcdClient,
			Resync:           s.hcp.Spec.Resync,

			CertificatesNotBefore: s.hcp.Spec.CertificatesNotBefore,
		},
	}
	live := &v1alpha1.EtcdTenant{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(want), live)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil && reconcile.Same(want, live, want.Spec, live.Spec) {
		s.etcd = live
		return nil
	}
	if err := reconcile.Apply(ctx, r.Client, want); err != nil {
		return err
	}
	// What was said of it stands until its controller has seen the change.
	want.Status, want.Generation = live.Status, live.Generation+1
	s.etcd = want
	return nil
}

// awaitEtcdTenant waits until the tenant has its place. Whether etcd serves it just
// now does not matter here: what runs is looked after during an outage too.
func (r *Reconciler) awaitEtcdTenant(_ context.Context, s *scope) error {
	if len(s.etcd.Status.Endpoints) > 0 {
		return nil
	}
	return etcdError(s.etcd)
}

// etcdError tells why a tenant has no place in etcd, nil when it has one.
func etcdError(tenant *v1alpha1.EtcdTenant) error {
	if tenant == nil {
		return reconcile.Wait("WaitingForEtcd", "the place in etcd has not been asked for yet")
	}
	for _, c := range tenant.Status.Conditions {
		switch {
		case c.Type != v1alpha1.ConditionReady:
		case c.Status == metav1.ConditionTrue:
			return nil
		default:
			return reconcile.Wait(c.Reason, "%s", c.Message)
		}
	}
	return reconcile.Wait("WaitingForEtcd", "the place in etcd is being prepared")
}

// labelsOf are the labels of everything that belongs to a control plane.
func labelsOf(hcp *v1alpha1.HostedControlPlane) map[string]string {
	return map[string]string{
		v1alpha1.LabelShard:      v1alpha1.DefaultShard,
		v1alpha1.LabelClusterUID: string(hcp.Spec.ClusterRef.UID),
	}
}

// ownerOf is the owner reference to a control plane.
func ownerOf(hcp *v1alpha1.HostedControlPlane) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion:         v1alpha1.GroupVersion.String(),
		Kind:               "HostedControlPlane",
		Name:               hcp.Name,
		UID:                hcp.UID,
		Controller:         ptr.To(true),
		BlockOwnerDeletion: ptr.To(true),
	}
}
