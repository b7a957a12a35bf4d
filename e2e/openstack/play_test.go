package openstack

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// play is what the control plane and the nodes do meanwhile: what nodes join with is made,
// nodes are Ready whose servers run, those that are deleted or made anew are empty, and those whose servers
// are gone are let go. A node that is lost has been so for an hour, whenever somebody asks.
func (w *world) play() {
	w.Helper()
	var all v1alpha1.NodeBootstrapList
	check(w, management.Client.List(w.Context(), &all, client.InNamespace(w.namespace())))
	for i := range all.Items {
		if b := &all.Items[i]; !reconcile.IsTrue(b.Status.Conditions, v1alpha1.ConditionReady) {
			w.fulfil(b)
		}
	}
	for _, m := range w.machines() {
		switch {
		case m.DeletionTimestamp == nil && m.Rebuilding():
			id, p := m.Spec.Rebuild.ID, m.Status.Rebuild
			if p.Booted() && p.ID == id {
				w.tell(&m, v1alpha1.MachineNode{UID: "2", Ready: true, Rebuild: id, Rebuilt: id})
			} else {
				w.tell(&m, v1alpha1.MachineNode{UID: "2", Ready: true, Rebuild: id, Drained: true})
			}
		case m.DeletionTimestamp == nil && m.Name == w.lost && m.Status.Rebuilt == "":
			n := v1alpha1.MachineNode{UID: "2", Message: "Kubelet stopped posting node status.", ChangedAt: &metav1.Time{Time: time.Now().Add(-time.Hour)}}
			if after := m.Spec.CheckAfter; after != nil {
				n.Checked = &v1alpha1.MachineCheck{After: *after, At: *after}
			}
			w.tell(&m, n)
		case m.DeletionTimestamp == nil:
			if reconcile.IsTrue(m.Status.Conditions, v1alpha1.ConditionServerReady) {
				w.tell(&m, v1alpha1.MachineNode{UID: "2", Ready: true})
			}
		case controllerutil.ContainsFinalizer(&m, v1alpha1.MachineFinalizer):
			w.tell(&m, v1alpha1.MachineNode{Drained: true})
		default:
			before := m.DeepCopy()
			controllerutil.RemoveFinalizer(&m, v1alpha1.NodeFinalizer)
			check(w, client.IgnoreNotFound(management.Client.Patch(w.Context(), &m, client.MergeFrom(before))))
		}
	}
}

// tell writes down what a node is.
func (w *world) tell(m *v1alpha1.Machine, n v1alpha1.MachineNode) {
	w.Helper()
	before := m.DeepCopy()
	m.Status.Node = &n
	check(w, client.IgnoreNotFound(management.Client.Status().Patch(w.Context(), m, client.MergeFrom(before))))
}

// fulfil makes a NodeBootstrap Ready.
func (w *world) fulfil(b *v1alpha1.NodeBootstrap) {
	w.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: "bootstrap-" + b.Name},
		Data:       map[string][]byte{v1alpha1.KeyKubeconfig: w.kubeconfig(), v1alpha1.KeyKubeletConfiguration: []byte("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n")},
	}
	check(w, client.IgnoreAlreadyExists(management.Client.Create(w.Context(), secret)))
	before := b.DeepCopy()
	b.Status = v1alpha1.NodeBootstrapStatus{
		SecretName: secret.Name, ExpirationTime: &metav1.Time{Time: time.Now().Add(24 * time.Hour)},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected", LastTransitionTime: metav1.Now()}},
	}
	check(w, client.IgnoreNotFound(management.Client.Status().Patch(w.Context(), b, client.MergeFrom(before))))
}

// kubeconfig is what a node would join with.
func (w *world) kubeconfig() []byte {
	w.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = "node"
	config.Contexts["node"] = &clientcmdapi.Context{Cluster: "shop", AuthInfo: "token"}
	config.Clusters["shop"] = &clientcmdapi.Cluster{Server: "https://192.0.2.7:6443", CertificateAuthorityData: []byte("-----BEGIN CERTIFICATE-----\nshop\n-----END CERTIFICATE-----\n")}
	config.AuthInfos["token"] = &clientcmdapi.AuthInfo{Token: "secret of a node"}
	text, err := clientcmd.Write(*config)
	check(w, err)
	return text
}

// nodesWithAll are such that have something of every service.
func nodesWithAll(s *v1alpha1.NodePoolSpec) {
	s.AntiAffinity, s.FloatingIPs, s.DiskGiB = v1alpha1.AntiAffinityHard, true, new(int64(diskGiB))
}
