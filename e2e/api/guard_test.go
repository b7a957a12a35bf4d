package api

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// management makes the namespace of a Cluster project/mine.
func management(t testing.TB, s *server) *corev1.Namespace {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: newName(), Labels: map[string]string{
		v1alpha1.LabelClusterUID: "uid", v1alpha1.LabelClusterNamespace: project, v1alpha1.LabelClusterName: "mine",
	}}}
	if err := s.client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace
}

const hosted = `{clusterRef: {namespace: project, name: mine, uid: uid}, version: 1.37.1-1, etcdClusters: [default], network: {}, exposure: {type: ClusterIP}}`

const networked = `{clusterRef: {namespace: project, name: mine, uid: uid}, infrastructureRef: {name: paris}, credentialsRef: {name: mine}}`

const machine = `{clusterRef: {namespace: project, name: mine, uid: uid}, poolRef: {name: web, uid: pool}, template: {release: 1.37.1-1, flavor: b3-8, networks: [a]}}`

// inside makes an object of Marina in a namespace.
func inside(t testing.TB, s *server, namespace *corev1.Namespace, kind string) *unstructured.Unstructured {
	t.Helper()
	spec := map[string]string{"EtcdTenant": "{tenantUID: uid, etcdClusters: [default], clientSecretName: c}", "HostedControlPlane": hosted, "ClusterNetwork": networked, "Machine": machine}[kind]
	o := object(kind, newName(), spec)
	o.SetNamespace(namespace.Name)
	o.SetLabels(map[string]string{v1alpha1.LabelPool: "web"})
	return made(t, s, o)
}

// Nobody deletes what a Cluster lives on instead of the Cluster.
func TestGuardedDeletions(t *testing.T) {
	instead := []string{"delete the Cluster, and Marina deletes this too ('kubectl -n project delete cluster mine')", "annotate it with marina.dev/allow-deletion=true"}
	cases := map[string]struct {
		object func(testing.TB, *server) client.Object
		says   []string
	}{
		"ItsNamespace":  {object: func(t testing.TB, s *server) client.Object { return management(t, s) }, says: instead},
		"ItsEtcdTenant": {object: func(t testing.TB, s *server) client.Object { return inside(t, s, management(t, s), "EtcdTenant") }, says: instead},
		"ItsControlPlane": {object: func(t testing.TB, s *server) client.Object {
			return inside(t, s, management(t, s), "HostedControlPlane")
		}, says: instead},
		"ItsNetwork": {object: func(t testing.TB, s *server) client.Object { return inside(t, s, management(t, s), "ClusterNetwork") }, says: instead},
		"ItsMachine": {object: func(t testing.TB, s *server) client.Object { return inside(t, s, management(t, s), "Machine") },
			says: []string{"it is a node of a cluster, and another one would be made: to have fewer, lower spec.replicas of NodePool web in namespace project and name it in spec.nodesToRemove there", "annotate it with marina.dev/allow-deletion=true"}},
		"TheSystem": {
			object: func(testing.TB, *server) client.Object {
				return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}
			},
			says: []string{"the etcd of all clusters: delete the Clusters and the EtcdClusters first", "annotate it with marina.dev/allow-deletion=true"},
		},
		"AnyOtherNamespace": {object: func(t testing.TB, s *server) client.Object {
			o := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: newName()}}
			if err := s.client.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			return o
		}},
		"AnEtcdTenantOfADyingNamespace": {object: func(t testing.TB, s *server) client.Object {
			namespace := management(t, s)
			o := inside(t, s, namespace, "EtcdTenant")
			if err := reconcile.Delete(t.Context(), s.client, namespace); err != nil {
				t.Fatalf("Marina cannot delete what it has to: %v", err)
			}
			// The policy learns of it a moment later.
			await(t, func() error { return s.client.Delete(t.Context(), o, client.DryRunAll) })
			return o
		}},
	}
	onEach(t, func(t *testing.T, s *server) {
		// A policy is enforced a moment after it has been created.
		system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}
		await(t, func() error {
			if err := s.client.Delete(t.Context(), system, client.DryRunAll); err == nil {
				return errors.New("the policy is not enforced")
			}
			return nil
		})
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				o := tc.object(t, s)
				err := s.client.Delete(t.Context(), o, client.DryRunAll)
				if tc.says == nil {
					if err != nil {
						t.Errorf("refused, want it accepted: %v", err)
					}
					return
				}
				if !apierrors.IsForbidden(err) {
					t.Fatalf("%v, want a refusal", err)
				}
				for _, words := range tc.says {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("the refusal does not say %q: %v", words, err)
					}
				}
				if name == "TheSystem" {
					return
				}
				// By Marina, or by an administrator who knows better.
				if err := reconcile.Delete(t.Context(), s.client, o); err != nil {
					t.Errorf("annotated, and refused: %v", err)
				}
			})
		}
	})
}

// All of a kind at once are as safe.
func TestGuardedDeletionOfAll(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		namespace := management(t, s)
		o := inside(t, s, namespace, "EtcdTenant")
		await(t, func() error {
			err := s.client.DeleteAllOf(t.Context(), o.DeepCopy(), client.InNamespace(namespace.Name), &client.DeleteAllOfOptions{DeleteOptions: client.DeleteOptions{DryRun: []string{"All"}}})
			if !apierrors.IsForbidden(err) {
				return errors.Join(errors.New("want a refusal"), err)
			}
			return nil
		})
	})
}
