//go:build chaos

package fleet

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// overtaken is no failure of who plays: the object is looked at again.
func (f *fleet) overtaken(err error) {
	f.Helper()
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
		f.Fatal(err)
	}
}

// play does for all Clusters what control planes, nodes and Kubernetes itself do meanwhile.
func (f *fleet) play() {
	f.Helper()
	f.controlPlanes()
	f.bootstraps()
	f.nodes()
	f.namespaces()
}

// controlPlanes are at once what they are asked to be.
func (f *fleet) controlPlanes() {
	f.Helper()
	list := &v1alpha1.HostedControlPlaneList{}
	check(f, management.Client.List(context.Background(), list))
	for i := range list.Items {
		hcp := &list.Items[i]
		if hcp.DeletionTimestamp != nil {
			hcp.Finalizers = nil
			f.overtaken(management.Client.Update(context.Background(), hcp))
			continue
		}
		tenant := &v1alpha1.EtcdTenant{ObjectMeta: metav1.ObjectMeta{Namespace: hcp.Namespace, Name: v1alpha1.NameEtcdTenant}, Spec: v1alpha1.EtcdTenantSpec{
			TenantUID: string(hcp.Spec.ClusterRef.UID), EtcdClusters: []string{"shared"}, ClientSecretName: "etcd-client",
		}}
		if err := management.Client.Create(context.Background(), tenant); err == nil {
			tenant.Status.EtcdCluster = "shared"
			f.overtaken(management.Client.Status().Update(context.Background(), tenant))
		} else {
			f.overtaken(err)
		}
		before := hcp.DeepCopy()
		s := &hcp.Status
		s.Version, s.ObservedGeneration, s.Resynced, s.Endpoint = hcp.Spec.Version, hcp.Generation, hcp.Spec.Resync, "https://192.0.2.7:6443"
		s.Components = nil
		for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			s.Components = append(s.Components, v1alpha1.ComponentStatus{Name: name, Version: hcp.Spec.Version, Replicas: 3, Ready: 3, Updated: 3})
		}
		for _, t := range []string{
			v1alpha1.ConditionReady, v1alpha1.ConditionSpecAccepted, v1alpha1.ConditionEtcdReady, v1alpha1.ConditionCertificatesValid, v1alpha1.ConditionControlPlaneReady,
			v1alpha1.ConditionAddonsReady, v1alpha1.ConditionKonnectivityReady, v1alpha1.ConditionAvailable, v1alpha1.ConditionUpToDate,
		} {
			reconcile.SetCondition(&s.Conditions, t, hcp.Generation, nil, "as asked")
		}
		if !equality.Semantic.DeepEqual(before.Status, hcp.Status) {
			f.overtaken(management.Client.Status().Update(context.Background(), hcp))
		}
	}
}

// bootstraps are fulfilled.
func (f *fleet) bootstraps() {
	f.Helper()
	list := &v1alpha1.NodeBootstrapList{}
	check(f, management.Client.List(context.Background(), list))
	for i := range list.Items {
		b := &list.Items[i]
		if b.DeletionTimestamp != nil || reconcile.IsTrue(b.Status.Conditions, v1alpha1.ConditionReady) {
			continue
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: "bootstrap-" + b.Name}, Data: map[string][]byte{
			v1alpha1.KeyKubeconfig: f.kubeconfig, v1alpha1.KeyKubeletConfiguration: []byte("kind: KubeletConfiguration\n"),
		}}
		f.overtaken(management.Client.Create(context.Background(), secret))
		b.Status = v1alpha1.NodeBootstrapStatus{SecretName: secret.Name, ExpirationTime: &metav1.Time{Time: time.Now().Add(24 * time.Hour)}}
		reconcile.SetCondition(&b.Status.Conditions, v1alpha1.ConditionReady, b.Generation, nil, "made")
		f.overtaken(management.Client.Status().Update(context.Background(), b))
	}
}

// nodes are Ready whose servers run, unless they have died, and empty when they are to be. Whoever
// asks how one is gets an answer.
func (f *fleet) nodes() {
	f.Helper()
	list := &v1alpha1.MachineList{}
	check(f, management.Client.List(context.Background(), list))
	for i := range list.Items {
		m := &list.Items[i]
		before := m.DeepCopy()
		if m.DeletionTimestamp != nil && !controllerutil.ContainsFinalizer(m, v1alpha1.MachineFinalizer) {
			controllerutil.RemoveFinalizer(m, v1alpha1.NodeFinalizer)
			f.overtaken(management.Client.Patch(context.Background(), m, client.MergeFrom(before)))
			continue
		}
		n := m.Status.Node
		if n == nil {
			if !reconcile.IsTrue(m.Status.Conditions, v1alpha1.ConditionServerReady) && m.DeletionTimestamp == nil {
				continue
			}
			n = &v1alpha1.MachineNode{UID: m.UID}
			m.Status.Node = n
		}
		ready := !f.dead[m.Name]
		if n.Ready != ready || n.ChangedAt == nil {
			n.Ready, n.ChangedAt = ready, &metav1.Time{Time: time.Now()}
		}
		n.Drained = m.DeletionTimestamp != nil
		if after := m.Spec.CheckAfter; after != nil && !n.Checked.Answers(after) {
			n.Checked = &v1alpha1.MachineCheck{After: *after, At: metav1.Now()}
		}
		if !equality.Semantic.DeepEqual(before.Status.Node, n) {
			f.overtaken(management.Client.Status().Patch(context.Background(), m, client.MergeFrom(before)))
		}
	}
}

// namespaces go whose deletion has been asked for: there is nobody else to let them.
func (f *fleet) namespaces() {
	f.Helper()
	list := &corev1.NamespaceList{}
	check(f, management.Client.List(context.Background(), list))
	for i := range list.Items {
		if ns := &list.Items[i]; ns.DeletionTimestamp != nil && len(ns.Spec.Finalizers) > 0 {
			ns.Spec.Finalizers = nil
			f.overtaken(management.Client.SubResource("finalize").Update(context.Background(), ns))
		}
	}
}

// joinWith is what nodes would join with.
func joinWith() ([]byte, error) {
	config := clientcmdapi.NewConfig()
	config.CurrentContext = "node"
	config.Contexts["node"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "token"}
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://192.0.2.7:6443", CertificateAuthorityData: []byte("-----BEGIN CERTIFICATE-----\nc\n-----END CERTIFICATE-----\n")}
	config.AuthInfos["token"] = &clientcmdapi.AuthInfo{Token: "token of a node"}
	return clientcmd.Write(*config)
}
