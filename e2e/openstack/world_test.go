package openstack

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// world is a Cluster in a project of a cloud, as the control plane has made it: it has an
// Infrastructure, credentials, and a ClusterNetwork that is not made yet.
type world struct {
	testing.TB
	*cloud
	// wire is between Marina and the cloud.
	wire *wire
	// lost is the name of a node that is not Ready until its server is made anew.
	lost string

	infra   *v1alpha1.Infrastructure
	cluster *v1alpha1.Cluster
	network *v1alpha1.ClusterNetwork
}

// newWorld makes one; change may change the Infrastructure that it is in.
func newWorld(t *testing.T, change ...func(*v1alpha1.Infrastructure)) *world {
	t.Helper()
	w := &world{TB: t, cloud: newCloud(t), wire: &wire{}}
	name := "e" + rand.String(6)
	w.infra = &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.InfrastructureSpec{
		AuthURL: w.authURL, Region: w.region, CredentialsRef: v1alpha1.LocalReference{Name: name},
		ExternalNetwork: w.external, Flavors: []string{w.flavor},
		Releases: []v1alpha1.InfrastructureRelease{{Release: harness.Release, Image: w.image}},
	}}
	for _, c := range change {
		c(w.infra)
	}
	w.cluster = &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "shop"}, Spec: v1alpha1.ClusterSpec{
		Version: harness.Release, InfrastructureRef: &v1alpha1.LocalReference{Name: name}, CredentialsRef: &v1alpha1.LocalReference{Name: "mine"},
	}}
	secret := func(namespace, name string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
			StringData: map[string]string{v1alpha1.CloudsKey: w.yaml(w.member)},
		}
	}
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace()}},
		secret(v1alpha1.SystemNamespace, name), secret(name, "mine"), w.infra, w.cluster,
	} {
		w.create(o)
	}
	w.cluster.Status.Namespace, w.cluster.Status.Version = w.namespace(), harness.Release
	check(t, management.Client.Status().Update(w.Context(), w.cluster))
	w.network = &v1alpha1.ClusterNetwork{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace(), Name: v1alpha1.NameClusterNetwork, Finalizers: []string{v1alpha1.ClusterNetworkFinalizer}},
		Spec: v1alpha1.ClusterNetworkSpec{
			ClusterRef:        v1alpha1.ClusterReference{Namespace: name, Name: "shop", UID: w.cluster.UID},
			InfrastructureRef: v1alpha1.LocalReference{Name: name}, CredentialsRef: v1alpha1.LocalReference{Name: "mine"},
			NodeCIDR: "10.250.0.0/22", PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16",
		},
	}
	w.create(w.network)
	t.Cleanup(w.dissolve)
	return w
}

// Context is also good when the test is over.
func (w *world) Context() context.Context { return context.Background() }

// namespace is where the machines are.
func (w *world) namespace() string { return "marina-" + w.infra.Name }

func (w *world) create(o client.Object) {
	w.Helper()
	check(w, management.Client.Create(w.Context(), o))
}

// pool makes a NodePool.
func (w *world) pool(name string, replicas int32, change ...func(*v1alpha1.NodePoolSpec)) *v1alpha1.NodePool {
	w.Helper()
	p := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: w.cluster.Namespace, Name: name}, Spec: v1alpha1.NodePoolSpec{
		ClusterRef: v1alpha1.LocalReference{Name: w.cluster.Name}, Flavor: w.flavor, Replicas: &replicas,
	}}
	for _, c := range change {
		c(&p.Spec)
	}
	w.create(p)
	return p
}

// scale asks for another number of nodes.
func (w *world) scale(p *v1alpha1.NodePool, replicas int32) {
	w.Helper()
	before := p.DeepCopy()
	p.Spec.Replicas = &replicas
	check(w, management.Client.Patch(w.Context(), p, client.MergeFrom(before)))
}

// dismiss deletes something, if it is there.
func (w *world) dismiss(o client.Object) {
	w.Helper()
	check(w, client.IgnoreNotFound(management.Client.Delete(w.Context(), o.DeepCopyObject().(client.Object))))
}

// read reads what has become of an object, and reports whether it is there.
func (w *world) read(o client.Object) bool {
	w.Helper()
	err := management.Client.Get(w.Context(), client.ObjectKeyFromObject(o), o)
	check(w, client.IgnoreNotFound(err))
	return !apierrors.IsNotFound(err)
}

// machines are all that there are.
func (w *world) machines() []v1alpha1.Machine {
	w.Helper()
	var all v1alpha1.MachineList
	check(w, management.Client.List(w.Context(), &all, client.InNamespace(w.namespace())))
	return all.Items
}

// hides checks that a text shows no secret.
func (w *world) hides(text string) {
	w.Helper()
	if strings.Contains(text, w.member.password) {
		w.Errorf("a secret is shown: %s", text)
	}
}
