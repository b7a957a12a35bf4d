package machine

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// play is what the control plane does meanwhile: it fulfils NodeBootstraps, tells of the
// nodes whose servers run, empties those that are deleted, and lets go of those whose servers
// are gone.
func (w *world) play(t testing.TB) {
	t.Helper()
	var all v1alpha1.NodeBootstrapList
	w.must(t, management.Client.List(t.Context(), &all, client.InNamespace(w.network.Namespace)))
	for i := range all.Items {
		if b := &all.Items[i]; !reconcile.IsTrue(b.Status.Conditions, v1alpha1.ConditionReady) {
			w.fulfil(t, b)
		}
	}
	for _, m := range w.machines {
		if w.gone(t, m) {
			continue
		}
		w.read(t, m)
		if m.DeletionTimestamp != nil {
			w.tell(t, m, v1alpha1.MachineNode{Drained: true})
			if !controllerutil.ContainsFinalizer(m, v1alpha1.MachineFinalizer) && controllerutil.RemoveFinalizer(m, v1alpha1.NodeFinalizer) {
				w.must(t, management.Client.Update(t.Context(), m))
			}
			continue
		}
		if p := m.Status.Rebuild; m.Rebuilding() {
			if p != nil && p.ID == m.Spec.Rebuild.ID && p.BootedAt != nil && !w.noJoin {
				w.tell(t, m, v1alpha1.MachineNode{UID: "2", Ready: true, Rebuild: p.ID, Rebuilt: p.ID})
			} else {
				w.tell(t, m, v1alpha1.MachineNode{UID: "2", Ready: true, Rebuild: m.Spec.Rebuild.ID, Drained: true})
			}
			continue
		}
		if !w.noJoin && !w.unheard && reconcile.IsTrue(m.Status.Conditions, v1alpha1.ConditionServerReady) {
			w.tell(t, m, v1alpha1.MachineNode{UID: "2", Ready: true})
		} else if end := m.Deadline(); end != nil && !w.unheard && !w.clock.Now().Before(end.Time) {
			w.tell(t, m, v1alpha1.MachineNode{Missed: &metav1.Time{Time: w.clock.Now()}})
		}
	}
}

// fulfil makes a NodeBootstrap Ready.
func (w *world) fulfil(t testing.TB, b *v1alpha1.NodeBootstrap) {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: "bootstrap-" + b.Name},
		Data:       map[string][]byte{"kubeconfig": kubeconfig(t), "kubelet.yaml": []byte("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n")},
	}
	w.must(t, client.IgnoreAlreadyExists(management.Client.Create(t.Context(), secret)))
	b.Status = v1alpha1.NodeBootstrapStatus{
		SecretName: secret.Name, ExpirationTime: &metav1.Time{Time: w.clock.Now().Add(time.Duration(b.Spec.TTLSeconds) * time.Second)},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected", LastTransitionTime: metav1.Now()}},
	}
	w.must(t, management.Client.Status().Update(t.Context(), b))
}

// tell writes down what a node is.
func (w *world) tell(t testing.TB, m *v1alpha1.Machine, n v1alpha1.MachineNode) {
	t.Helper()
	before := m.DeepCopy()
	m.Status.Node = &n
	w.must(t, client.IgnoreNotFound(management.Client.Status().Patch(t.Context(), m, client.MergeFrom(before))))
}

// service is a service of the cloud as somebody in a project uses it. Calls of it are
// recorded like any other.
func (w *world) service(t testing.TB, p openstacksim.Project, service string) *openstack.Client {
	t.Helper()
	credentials, err := openstack.ParseCloudsYAML([]byte(w.CloudsYAML(p)), v1alpha1.CloudName)
	w.must(t, err)
	c, err := (&openstack.Pool{}).Client(t.Context(), openstack.Cloud{AuthURL: w.AuthURL(), Region: openstacksim.Region}, credentials)
	w.must(t, err)
	return c
}

func (w *world) nova(t testing.TB) compute {
	t.Helper()
	sc, err := w.service(t, w.project, openstack.Compute).Service(t.Context(), openstack.Compute)
	w.must(t, err)
	return compute{sc}
}

// makeGroup makes the security group of the nodes.
func (w *world) makeGroup(t testing.TB) string {
	t.Helper()
	sc, err := w.service(t, w.project, openstack.Network).Service(t.Context(), openstack.Network)
	w.must(t, err)
	group, err := groups.Create(t.Context(), sc, groups.CreateOpts{Name: "nodes"}).Extract()
	w.must(t, err)
	return group.ID
}

// theirs makes a server that is not ours, with metadata.
func (w *world) theirs(t testing.TB, name string, metadata map[string]string) string {
	t.Helper()
	id, err := w.nova(t).create(t.Context(), servers.CreateOpts{
		Name: name, ImageRef: w.image, FlavorRef: w.flavor, Networks: []servers.Network{{UUID: w.network.Status.NetworkID}},
		Metadata: metadata, ConfigDrive: ptr.To(false),
	}, nil)
	w.must(t, err)
	return id
}

// kubeconfig is what a node joins with.
func kubeconfig(t testing.TB) []byte {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = "node"
	config.Contexts["node"] = &clientcmdapi.Context{Cluster: "shop", AuthInfo: "token"}
	config.Clusters["shop"] = &clientcmdapi.Cluster{Server: "https://203.0.113.7:6443", CertificateAuthorityData: []byte("-----BEGIN CERTIFICATE-----\nshop\n-----END CERTIFICATE-----\n")}
	config.AuthInfos["token"] = &clientcmdapi.AuthInfo{Token: "secret of a node"}
	text, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
