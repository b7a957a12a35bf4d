package chart

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// TestRights takes a Cluster, and EtcdClusters of Marina's own with its own certificates
// and with those of cert-manager, from creation to deletion with exactly the rights of the chart. Nothing may be refused, and no right
// may be left over.
func TestRights(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		startBuiltIn(t, s)
		etcd, issued := startEtcd(t, s), issuedCluster()
		startCertManager(t, s)
		create(t, s, issued)
		class := &v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}}
		class.Spec.EtcdClusters = []string{etcd.Name}
		class.Spec.Exposure = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort}
		class.Spec.NodeAccess = v1alpha1.NodeAccessKonnectivity
		class.Spec.ImagePullSecret = "pull"
		create(t, s, class)
		create(t, s, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "pull"},
			Type:       corev1.SecretTypeDockerConfigJson, StringData: map[string]string{corev1.DockerConfigJsonKey: "{}"},
		})
		createNode(t, s)
		infra := newInfrastructure()
		create(t, s, infra)
		m := startManager(t, s)
		await(t, "what an Infrastructure lacks", func(ctx context.Context) error {
			err := s.get(ctx, infra)
			if c := meta.FindStatusCondition(infra.Status.Conditions, "Ready"); err != nil || c == nil || c.Reason != "SecretNotFound" {
				return fmt.Errorf("it is %+v, %w", c, err)
			}
			return nil
		})
		cluster := newCluster("rights", class.Name)
		// A network of which nothing can be made, and that is deleted like any other.
		cluster.Spec.InfrastructureRef, cluster.Spec.CredentialsRef = &v1alpha1.LocalReference{Name: infra.Name}, &v1alpha1.LocalReference{Name: "missing"}
		err := harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
			return s.client.Create(ctx, cluster.DeepCopy())
		})
		if err != nil {
			t.Fatalf("creating a cluster: %v", err)
		}
		// Nothing is made before there is a pool, and the pool makes nothing before a network.
		pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "web"}}
		pool.Spec.ClusterRef.Name, pool.Spec.Flavor = cluster.Name, "b3-8"
		create(t, s, pool)
		namespace := awaitWorkload(t, s, cluster, &appsv1.Deployment{}, "kube-apiserver")
		network := &v1alpha1.ClusterNetwork{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.NameClusterNetwork}}
		await(t, "what its network lacks", func(ctx context.Context) error {
			err := s.get(ctx, network)
			if c := meta.FindStatusCondition(network.Status.Conditions, "Ready"); err != nil || c == nil || c.Reason != "SecretNotFound" {
				return fmt.Errorf("it is %+v, %w", c, err)
			}
			return nil
		})
		mine := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "etcd-default"}}
		waiting := &v1alpha1.NodeBootstrap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "early", Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}}}
		waiting.Spec.NodeName = "early"
		create(t, s, waiting)
		await(t, "what a machine waits for", func(ctx context.Context) error {
			err := s.get(ctx, waiting)
			if c := meta.FindStatusCondition(waiting.Status.Conditions, "Ready"); err != nil || c == nil || c.Reason != "WaitingForControlPlane" {
				return fmt.Errorf("it is %+v, %w", c, err)
			}
			return nil
		})
		leaving := createLeaving(t, s, cluster)
		await(t, "the members of Marina's own etcd", func(ctx context.Context) error { return s.get(ctx, mine) })
		awaitIssued(t, s, issued)
		awaitCounted(t, s, &v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
		awaitCounted(t, s, issued)
		await(t, "the first API server's pod in the status of its control plane", func(ctx context.Context) error {
			hcp := &v1alpha1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.NameHostedControlPlane}}
			if err := s.get(ctx, hcp); err != nil {
				return err
			}
			if !slices.ContainsFunc(hcp.Status.Components, func(c v1alpha1.ComponentStatus) bool { return c.Name == "kube-apiserver" && c.Updated > 0 }) {
				return fmt.Errorf("its components are %+v", hcp.Status.Components)
			}
			return nil
		})

		err = s.client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, client.DryRunAll)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "kubectl -n default delete cluster rights") {
			t.Errorf("deleting the namespace of a cluster: %v, want what to delete instead", err)
		}

		m = quietRestart(t, s, m)

		changeIssuer(t, s, issued)
		await(t, "ready API servers", func(ctx context.Context) error { return makeReady(ctx, s, namespace, "kube-apiserver") })
		for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
			awaitWorkload(t, s, cluster, &appsv1.Deployment{}, name)
		}

		// A version that nobody has published.
		offered := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "offered-releases"}}
		if err := s.client.Patch(t.Context(), offered, client.RawPatch(types.MergePatchType, []byte(`{"data": {"1.99.0-1": "v1.99.0"}}`))); err != nil {
			t.Fatal(err)
		}
		await(t, "only what is published", func(ctx context.Context) error {
			if err := s.get(ctx, offered); err != nil || offered.Data["1.99.0-1"] != "" {
				return fmt.Errorf("it offers %v, %w", offered.Data, err)
			}
			return nil
		})

		for _, o := range []client.Object{cluster, issued, &v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: "default"}}} {
			if err := s.client.Delete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			await(t, fmt.Sprintf("the deletion of %T %s", o, o.GetName()), func(ctx context.Context) error { return gone(ctx, s, o) })
		}
		await(t, "the deletion of the Machine", func(ctx context.Context) error { return gone(ctx, s, leaving) })
		if err := s.client.Delete(t.Context(), etcd); err != nil {
			t.Fatal(err)
		}
		await(t, "the deletion of their etcd", func(ctx context.Context) error { return gone(ctx, s, etcd) })
		m.stop(t)

		judgeRights(t, s)
		if err := s.bring(t.Context(), "upgrade"); err != nil {
			t.Errorf("making what was deleted again: %v", err)
		}
	})
}

// createLeaving makes a Machine whose server is gone, and whose node nobody can delete before
// its cluster is deleted.
func createLeaving(t testing.TB, s *server, cluster *v1alpha1.Cluster) *v1alpha1.Machine {
	t.Helper()
	m := &v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{
		Namespace: cluster.Status.Namespace, Name: "leaving", Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard},
		Finalizers: []string{v1alpha1.NodeFinalizer},
	}}
	m.Spec = v1alpha1.MachineSpec{
		ClusterRef: v1alpha1.ClusterReference{Namespace: cluster.Namespace, Name: cluster.Name, UID: cluster.UID},
		PoolRef:    v1alpha1.PoolReference{Name: "pool", UID: "1"},
		Template:   v1alpha1.MachineTemplate{Release: "1.37.1-1", Flavor: "b3-8"},
	}
	create(t, s, m)
	before := m.DeepCopy()
	m.Status.Node = &v1alpha1.MachineNode{UID: "1"}
	if err := s.client.Status().Patch(t.Context(), m, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	if err := reconcile.Delete(t.Context(), s.client, m); err != nil {
		t.Fatal(err)
	}
	await(t, "what a Machine's node waits for", func(ctx context.Context) error {
		if err := s.get(ctx, m); err != nil || m.Status.Node.DrainMessage == "" {
			return fmt.Errorf("it is %+v, %w", m.Status.Node, err)
		}
		return nil
	})
	return m
}

// newInfrastructure is of a cloud that nobody has credentials for.
func newInfrastructure() *v1alpha1.Infrastructure {
	infra := &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "nowhere"}}
	infra.Spec = v1alpha1.InfrastructureSpec{
		AuthURL: "https://cloud.invalid/v3", Region: "nowhere", CredentialsRef: v1alpha1.LocalReference{Name: "missing"}, ExternalNetwork: "public",
		Releases: []v1alpha1.InfrastructureRelease{{Release: "1.37.1-1", Image: "node"}}, Flavors: []string{"b3-8"},
	}
	return infra
}

// quietRestart replaces a manager once it rests, which nobody may notice.
func quietRestart(t testing.TB, s *server, m *manager) *manager {
	t.Helper()
	m.awaitRest(t, s)
	m.stop(t)
	_, since := s.requests(t, 0)
	m = startManager(t, s)
	m.awaitRest(t, s)
	made, _ := s.requests(t, since)
	if len(made) == 0 {
		t.Error("the second manager made no request: this shows nothing")
	}
	for _, r := range made {
		if r.writes() {
			t.Errorf("a manager that finds everything as it is to be writes: %s %s %s/%s", r.Verb, r.right().resource, r.ObjectRef.Namespace, r.ObjectRef.Name)
		}
	}
	return m
}

// await waits for something with a name.
func await(t testing.TB, what string, check func(context.Context) error) {
	t.Helper()
	if err := harness.Await(t.Context(), time.Minute, check); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// awaitWorkload waits for a workload of a Cluster, and returns its namespace.
func awaitWorkload(t testing.TB, s *server, cluster *v1alpha1.Cluster, workload client.Object, name string) string {
	t.Helper()
	await(t, name, func(ctx context.Context) error {
		if err := s.get(ctx, cluster); err != nil {
			return err
		}
		workload.SetNamespace(cluster.Status.Namespace)
		workload.SetName(name)
		if err := s.get(ctx, workload); err != nil {
			return fmt.Errorf("%w; the cluster is %s: %s", err, cluster.Status.Phase, cluster.Status.Message)
		}
		return nil
	})
	return cluster.Status.Namespace
}

func gone(ctx context.Context, s *server, o client.Object) error {
	if err := s.get(ctx, o); !apierrors.IsNotFound(err) {
		return fmt.Errorf("it is there, with the finalizers %v (%w)", o.GetFinalizers(), err)
	}
	return nil
}

// rare are rights that these tests may have no use for, with what they are for.
var rare = map[right]string{
	{"marina.dev", "operations", "delete"}:                     "history beyond the last 50",
	{"marina.dev", "hostedcontrolplanes/finalizers", "update"}: "is asked about by the API server, and is no request",
	{"marina.dev", "etcdtenants/finalizers", "update"}:         "is asked about by the API server, and is no request",
	{"marina.dev", "nodebootstraps/finalizers", "update"}:      "is asked about by the API server, and is no request",
	{"marina.dev", "machines", "create"}:                       "nodes, which need a cloud",
	{"marina.dev", "machines", "delete"}:                       "nodes, which need a cloud",
	{"marina.dev", "nodebootstraps", "delete"}:                 "nodes, which need a cloud",
	{"", "persistentvolumeclaims", "patch"}:                    "volumes that grow",
	{"", "persistentvolumes", "get"}:                           "a volume of a node that is gone",
	{"", "pods", "delete"}:                                     "members that are replaced one by one",
	{"apps", "replicasets", "delete"}:                          "those of a Deployment that was deleted without them",
	{"", "events", "patch"}:                                    "an event that repeats itself",
	{"events.k8s.io", "events", "patch"}:                       "an event that repeats itself",
}

// needed reports whether a right has been of use. Who may list may as well get, and an
// informer lists where it cannot watch from the start; server-side apply is recorded as
// a patch, and needs the right to create.
func needed(r right, used map[right]bool) bool {
	instead := map[string][]string{"get": {"list", "watch"}, "list": {"watch"}, "create": {"patch"}}
	return used[r] || slices.ContainsFunc(instead[r.verb], func(verb string) bool { return used[right{r.group, r.resource, verb}] })
}

// judgeRights compares what managers have asked for with what they may.
func judgeRights(t testing.TB, s *server) {
	t.Helper()
	used := map[right]bool{}
	made, _ := s.requests(t, 0)
	for _, r := range made {
		// Other tests have tried what a manager must not do, without effect.
		if used[r.right()] = true; r.ResponseStatus.Code == http.StatusForbidden && r.UserAgent == "marina-manager" {
			t.Errorf("refused: %s %s in %q", r.Verb, r.right().resource, r.ObjectRef.Namespace)
		}
	}
	granted := s.granted(t)
	for r := range granted {
		if rare[r] == "" && !needed(r, used) {
			t.Errorf("nobody needs %s %s (%q): take it away", r.verb, r.resource, r.group)
		}
	}
	for r, why := range rare {
		if !granted[r] {
			t.Errorf("%s %s is rare (%s), and not granted", r.verb, r.resource, why)
		}
	}
}

// granted are the rights that the chart gives to the manager.
func (s *server) granted(t testing.TB) map[right]bool {
	t.Helper()
	all := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "marina-manager"}}
	own := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "marina-manager"}}
	for _, o := range []client.Object{all, own} {
		if err := s.get(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	granted := map[right]bool{}
	for _, rule := range slices.Concat(all.Rules, own.Rules) {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					granted[right{group, resource, verb}] = true
				}
			}
		}
	}
	return granted
}
