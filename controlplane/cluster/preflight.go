package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

const (
	// waitsFor is when it is looked again whether an upgrade can begin that waits.
	waitsFor = 15 * time.Second
	// refusedFor is the same of one that is refused: nothing tells when a node is newer.
	refusedFor = time.Minute
	// giveUp is what one can do in any case about an upgrade that was asked for.
	giveUp = "%s. To give it up set spec.version to %s"
)

// preflight checks what an upgrade may break, before anything is changed. A person has to see
// to what is refused; what passes by itself is waited for. Another build or patch breaks no API
// and no node; what cannot be looked at now has to wait all the same.
func (r *Reconciler) preflight(ctx context.Context, s *scope) error {
	from, to, begins := s.situation(r.Now()).begins()
	if !begins {
		return nil
	}
	err := r.checkImage(ctx, s)
	if err == nil {
		err = poolBusy(s.pools)
	}
	if err == nil {
		err = r.checkEtcd(ctx, NamespaceName(s.cluster))
	}
	if err == nil && from.MinorVersion() != to.MinorVersion() {
		err = r.checkTenant(ctx, s.cluster, to)
	}
	switch e := reconcile.As(err); {
	case e == nil:
	case e.Kind == reconcile.KindWait:
		s.waits, err = reconcile.Wait(e.Reason, giveUp, e.Message, s.cluster.Status.Version), nil
		s.again = reconcile.Earliest(s.again, waitsFor)
	case e.Kind == reconcile.KindUser:
		err = reconcile.UserError(e.Reason, giveUp, e.Message, s.cluster.Status.Version)
		s.again = reconcile.Earliest(s.again, refusedFor)
	}
	return err
}

// takesUpVersion reports whether the version of the spec has yet to be told to the control plane,
// or given to any component.
func (s *scope) takesUpVersion() bool {
	_, _, begins := s.situation(time.Time{}).begins()
	return begins || s.hcp == nil || s.hcp.Spec.Version != s.cluster.Spec.Version
}

// begins reports whether the spec asks for an upgrade of which no component has been given
// anything yet. To go back is none.
func (s situation) begins() (from, to release.Version, begins bool) {
	if s.hcp == nil {
		return from, to, false
	}
	from, errFrom := release.Parse(s.hcp.Status.Version)
	to, errTo := release.Parse(s.cluster.Spec.Version)
	if errFrom != nil || errTo != nil || to.Compare(from) <= 0 {
		return from, to, false
	}
	asked := func(op *v1alpha1.Operation) bool {
		return op.Spec.Type == v1alpha1.OperationUpgrade && !op.Status.Phase.Finished()
	}
	if s.stopped() && !slices.ContainsFunc(s.operations, asked) {
		return from, to, false // until it is tried again
	}
	told := s.hcp.Spec.Version == s.cluster.Spec.Version && !s.hcp.Spec.Paused
	return from, to, !told && !s.given()
}

// poolBusy waits for pools whose nodes are being made or replaced: the next version would
// overtake them. From then on they wait for the control plane, which they see by the status.
func poolBusy(pools []v1alpha1.NodePool) error {
	for _, p := range pools {
		if p.DeletionTimestamp != nil {
			continue // which goes on at any time
		}
		switch p.Status.Phase {
		case v1alpha1.PoolCreating, v1alpha1.PoolScaling, v1alpha1.PoolUpdating, v1alpha1.PoolUpgrading:
			return reconcile.Wait(v1alpha1.ReasonNodePoolBusy, "the upgrade begins when node pool %s is Active, which is %s: %s", p.Name, p.Status.Phase, p.Status.Message)
		}
		if replaces(p) {
			return reconcile.Wait(v1alpha1.ReasonNodePoolBusy, "the upgrade begins when node pool %s has replaced its nodes, which is %s: %s", p.Name, p.Status.Phase, p.Status.Message)
		}
		if p.Status.ObservedGeneration != p.Generation {
			return reconcile.Wait(v1alpha1.ReasonNodePoolBusy, "the upgrade begins when node pool %s has taken up its last change", p.Name)
		}
	}
	return nil
}

// replaces reports whether nodes of a pool are being replaced while it lacks one, which is what its
// phase tells then. One that waits for a person, as its replacement has stopped or finds no room,
// holds nothing up.
func replaces(p v1alpha1.NodePool) bool {
	ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
	return p.Status.Phase == v1alpha1.PoolDegraded && ready != nil && ready.Reason == v1alpha1.ReasonReplacing
}

// checkEtcd waits until every member of the tenant's etcd is well: with one less, the next
// fault is an outage, and an upgrade is when faults happen.
func (r *Reconciler) checkEtcd(ctx context.Context, namespace string) error {
	tenant, etcd := &v1alpha1.EtcdTenant{}, &v1alpha1.EtcdCluster{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.NameEtcdTenant}, tenant)
	if err == nil {
		err = r.Client.Get(ctx, client.ObjectKey{Name: tenant.Status.EtcdCluster}, etcd)
	}
	switch {
	case apierrors.IsNotFound(err):
		return reconcile.Wait("EtcdUnhealthy", "the upgrade begins when it is known that etcd is well: %v", err)
	case err != nil:
		return err
	case int(etcd.Status.ReadyMembers) < len(etcd.Status.Endpoints) || !reconcile.IsTrue(etcd.Status.Conditions, v1alpha1.ConditionReady):
		return reconcile.Wait("EtcdUnhealthy", "the upgrade begins when etcd is well: %d of %d members of EtcdCluster %s are; the platform's administrators see to that",
			etcd.Status.ReadyMembers, len(etcd.Status.Endpoints), etcd.Name)
	}
	return nil
}

// checkTenant refuses a minor version that nodes of the tenant are too old for, or that does
// not serve what is in use there.
func (r *Reconciler) checkTenant(ctx context.Context, cluster *v1alpha1.Cluster, to release.Version) error {
	allowed := cluster.Annotations[v1alpha1.AnnotationAllowRemovedAPIs] == to.MinorVersion()
	kubelets, deprecated, err := r.Inspect(ctx, NamespaceName(cluster), !allowed)
	if err != nil {
		// The error names addresses of the platform, and ports that are others each time: as a
		// message it would wake the Cluster again at once.
		ctrl.LoggerFrom(ctx).Info("cannot look into the tenant before its upgrade", "reason", err.Error())
		return reconcile.Wait("NotInspected", "the upgrade begins when it is known what is in use, and not all API servers answer: see the conditions Ready and Available")
	}
	if err := checkKubelets(kubelets, to); err != nil {
		return err
	}
	gone := release.Removed(to, deprecated)
	if len(gone) == 0 {
		return nil
	}
	return reconcile.UserError("RemovedAPIsInUse", "%s does not serve %s, which somebody has asked for since the API servers were started: have those clients use a newer version of the API; then, or if they do not matter, 'kubectl -n %s annotate --overwrite cluster %s %s=%s'",
		to, some(gone), cluster.Namespace, cluster.Name, v1alpha1.AnnotationAllowRemovedAPIs, to.MinorVersion())
}

// checkKubelets refuses a version that nodes are too old for, whoever brought them.
func checkKubelets(kubelets map[string]string, to release.Version) error {
	var old []string
	for _, node := range slices.Sorted(maps.Keys(kubelets)) {
		// What cannot be read is not of Kubernetes' own making.
		kubelet, err := release.ParseKubelet(kubelets[node])
		if err == nil && kubelet.Compare(to) < 0 && release.KubeletSkewOK(to, kubelet) != nil {
			old = append(old, fmt.Sprintf("%s (%s)", node, kubelets[node]))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return reconcile.UserError("NodeTooOld", "kubelets may be %d minor versions older than the control plane, and with %s these would be more: %s; upgrade or remove those nodes first", release.MaxKubeletSkew, to, some(old))
}

// some lists the first of many.
func some[T any](all []T) string {
	const most = 5
	words := make([]string, 0, most)
	for _, one := range all[:min(most, len(all))] {
		words = append(words, fmt.Sprint(one))
	}
	if more := len(all) - most; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}
