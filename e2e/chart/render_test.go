package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// keep is what Helm looks for before it deletes an object.
const keep = "helm.sh/resource-policy"

// What the manifests say, the charts say too: the files are the only source.
func TestChartsMakeTheManifests(t *testing.T) {
	marina := mustRender(t)
	crds, err := template(t, "marina-crds", chartCRDs)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		made []*unstructured.Unstructured
		// kept is true for what has to outlive the release.
		kept bool
	}{
		"crds":     {made: crds, kept: true},
		"policies": {made: marina, kept: true},
		"releases": {made: marina, kept: true},
	}
	for folder, tc := range cases {
		t.Run(folder, func(t *testing.T) {
			for _, want := range readManifests(t, folder) {
				got := one(t, tc.made, want.GetKind(), want.GetName()).DeepCopy()
				annotations := got.GetAnnotations()
				if kept := annotations[keep] == "keep"; kept != tc.kept {
					t.Errorf("%s %s is kept: %v, want %v", want.GetKind(), want.GetName(), kept, tc.kept)
				}
				if delete(annotations, keep); len(annotations) == 0 {
					annotations = nil
				}
				got.SetAnnotations(annotations)
				if d := cmp.Diff(want.Object, got.Object); d != "" {
					t.Errorf("%s %s (-manifest +chart):\n%s", want.GetKind(), want.GetName(), d)
				}
			}
		})
	}
	if want := len(readManifests(t, "crds")); len(crds) != want {
		t.Errorf("the chart of the kinds makes %d objects, want %d", len(crds), want)
	}
}

func TestDefaults(t *testing.T) {
	var version any
	for _, o := range readManifests(t, "defaults") {
		if o.GetKind() == "EtcdCluster" {
			version, _, _ = unstructured.NestedString(o.Object, "spec", "version")
		}
	}
	managed := map[string]any{"coreDNS": "Managed", "kubeProxy": "Managed"}
	cases := map[string]struct {
		values string
		// etcd and class are the specs; nil is no object.
		etcd, class map[string]any
	}{
		"AsTheyAre": {
			etcd: map[string]any{"version": version},
			class: map[string]any{
				"etcdClusters": []any{"default"}, "nodeAccess": "Konnectivity", "addons": managed, "exposure": map[string]any{"type": "NodePort"},
			},
		},
		"FromAnotherRegistry": {
			values: "registry=registry.example.com/marina,imagePullSecret=pull",
			etcd:   map[string]any{"version": version, "registry": "registry.example.com/marina", "imagePullSecret": "pull"},
			class: map[string]any{
				"etcdClusters": []any{"default"}, "nodeAccess": "Konnectivity", "addons": managed, "exposure": map[string]any{"type": "NodePort"},
				"registry": "registry.example.com/marina", "imagePullSecret": "pull",
			},
		},
		"Changed": {
			values: "etcdCluster.spec.maxTenants=10,hostingClass.spec.exposure.type=LoadBalancer,hostingClass.spec.etcdClusters={big}",
			etcd:   map[string]any{"version": version, "maxTenants": float64(10)},
			class: map[string]any{
				"etcdClusters": []any{"big"}, "nodeAccess": "Konnectivity", "addons": managed, "exposure": map[string]any{"type": "LoadBalancer"},
			},
		},
		"AnEtcdOfSomebodyElse": {
			values: "etcdCluster.spec.external.endpoints={https://etcd.example.com:2379}",
			etcd:   map[string]any{"external": map[string]any{"endpoints": []any{"https://etcd.example.com:2379"}}},
			class: map[string]any{
				"etcdClusters": []any{"default"}, "nodeAccess": "Konnectivity", "addons": managed, "exposure": map[string]any{"type": "NodePort"},
			},
		},
		"CertificatesOfCertManager": {
			values: "etcdCluster.spec.certificates.issuerRef.name=platform,etcdCluster.spec.certificates.issuerRef.kind=ClusterIssuer",
			etcd:   map[string]any{"version": version, "certificates": map[string]any{"issuerRef": map[string]any{"name": "platform", "kind": "ClusterIssuer"}}},
			class: map[string]any{
				"etcdClusters": []any{"default"}, "nodeAccess": "Konnectivity", "addons": managed, "exposure": map[string]any{"type": "NodePort"},
			},
		},
		"None": {values: "etcdCluster.create=false,hostingClass.create=false"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objects := mustRender(t, "--set", tc.values)
			for kind, want := range map[string]map[string]any{"EtcdCluster": tc.etcd, "HostingClass": tc.class} {
				var got map[string]any
				for _, o := range objects {
					if o.GetKind() != kind {
						continue
					}
					got, _, _ = unstructured.NestedMap(o.Object, "spec")
					if o.GetName() != "default" || o.GetAnnotations()[keep] != "keep" {
						t.Errorf("%s %s with the annotations %v, want default, and kept", kind, o.GetName(), o.GetAnnotations())
					}
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s (-want +got):\n%s", kind, d)
				}
			}
		})
	}
}

// Whatever is wrong is said before anything is installed.
func TestBadValues(t *testing.T) {
	cases := map[string]struct {
		args []string
		says []string
	}{
		"UnknownValue":       {args: []string{"--set", "replicas=3"}, says: []string{"additional properties 'replicas' not allowed"}},
		"UnknownExposure":    {args: []string{"--set", "hostingClass.spec.exposure.type=Ingress"}, says: []string{"/hostingClass/spec/exposure/type", "'ClusterIP', 'NodePort', 'LoadBalancer'"}},
		"ExposureOfUp":       {args: []string{"--set", "hostingClass.spec.exposure.type=Host"}, says: []string{"/hostingClass/spec/exposure/type"}},
		"UnknownNodeAccess":  {args: []string{"--set", "hostingClass.spec.nodeAccess=VPN"}, says: []string{"/hostingClass/spec/nodeAccess", "'Direct', 'Konnectivity'"}},
		"RegistryWithASlash": {args: []string{"--set", "registry=registry.example.com/"}, says: []string{"/registry"}},
		"RegistryWithScheme": {args: []string{"--set", "registry=https://registry.example.com"}, says: []string{"/registry"}},
		"NoIssuer":           {args: []string{"--set-json", `etcdCluster.spec.certificates={"issuerRef": {"kind": "Issuer"}}`}, says: []string{"/etcdCluster/spec/certificates/issuerRef", "'name'"}},
		"IssuerMisspelt":     {args: []string{"--set", "etcdCluster.spec.certificates.issuer.name=platform"}, says: []string{"/etcdCluster/spec/certificates", "'issuer' not allowed"}},
		"IssuerOfAnExternal": {args: []string{"--set", "etcdCluster.spec.certificates.issuerRef.name=platform,etcdCluster.spec.external.endpoints={https://etcd:2379}"}, says: []string{"leave them out with external"}},
		"NoReplica":          {args: []string{"--set", "manager.replicas=0"}, says: []string{"/manager/replicas", "want 1"}},
		"BadTag":             {args: []string{"--set", "tag=a b"}, says: []string{"/tag"}},
		"AnotherNamespace":   {args: []string{"--namespace", "default"}, says: []string{"install it with --namespace marina-system"}},
		"AnOldCluster":       {args: []string{"--kube-version", "1.35.9"}, says: []string{"requires kubeVersion: >= 1.36"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := render(t, tc.args...)
			if err == nil {
				t.Fatal("accepted, want a refusal")
			}
			for _, words := range tc.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("the refusal does not say %q: %v", words, err)
				}
			}
		})
	}
	t.Run("AnotherName", func(t *testing.T) {
		_, err := template(t, "second", chartMarina, "--namespace", system)
		if err == nil || !strings.Contains(err.Error(), "there is one Marina in a cluster") {
			t.Errorf("%v, want a refusal: two would work on the same objects", err)
		}
	})
}

// Rights are written out: a wildcard would take in what nobody has thought of, and
// with these verbs one makes oneself more rights.
func TestRightsAreWrittenOut(t *testing.T) {
	for _, o := range mustRender(t) {
		rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
		for _, r := range rules {
			rule := &rbacv1.PolicyRule{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(r.(map[string]any), rule); err != nil {
				t.Fatal(err)
			}
			for _, word := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.NonResourceURLs) {
				if strings.Contains(word, "*") || slices.Contains([]string{"bind", "escalate", "impersonate", "deletecollection"}, word) {
					t.Errorf("%s %s: %q in %v", o.GetKind(), o.GetName(), word, rule)
				}
			}
			if slices.Contains(rule.APIGroups, "rbac.authorization.k8s.io") || slices.Contains(rule.Resources, "serviceaccounts/token") || slices.Contains(rule.Resources, "pods/exec") {
				t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), rule)
			}
		}
		if name, _, _ := unstructured.NestedString(o.Object, "roleRef", "name"); name != "" && name != "marina-manager" {
			t.Errorf("%s %s binds %s", o.GetKind(), o.GetName(), name)
		}
	}
}

// Rights to cert-manager are of who has asked for it, and in our own namespace.
func TestRightsToCertManager(t *testing.T) {
	for name, tc := range map[string]struct {
		values string
		want   bool
	}{
		"Default":      {values: "certManager=false"},
		"OwnClusters":  {values: "certManager=true,etcdCluster.create=false", want: true},
		"OfTheDefault": {values: "etcdCluster.spec.certificates.issuerRef.name=platform", want: true},
	} {
		t.Run(name, func(t *testing.T) {
			var where []string
			for _, o := range mustRender(t, "--set", tc.values) {
				rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
				for _, r := range rules {
					if groups, _, _ := unstructured.NestedStringSlice(r.(map[string]any), "apiGroups"); slices.Contains(groups, "cert-manager.io") {
						where = append(where, o.GetKind()+" "+o.GetNamespace())
					}
				}
			}
			var want []string
			if tc.want {
				want = []string{"Role " + system}
			}
			if d := cmp.Diff(want, where); d != "" {
				t.Errorf("where rights to cert-manager are given (-want +got):\n%s", d)
			}
		})
	}
}

func TestDeploymentTakesItsValues(t *testing.T) {
	objects := mustRender(t, "--set", strings.Join([]string{
		"registry=registry.example.com/marina", "tag=v1", "imagePullSecret=pull", "manager.replicas=3", "manager.verbosity=4",
		"manager.nodeSelector.pool=platform", "manager.tolerations[0].operator=Exists", "manager.priorityClassName=high",
		"manager.resources.limits.memory=1Gi", "networkPolicy=false",
	}, ","))
	got := &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(one(t, objects, "Deployment", "marina-manager").Object, got); err != nil {
		t.Fatal(err)
	}
	pod := got.Spec.Template.Spec
	type values struct {
		Image, Memory, PullSecret, Pool, Toleration, Priority string
		Replicas                                              int32
		Args                                                  []string
	}
	want := values{
		Image: "registry.example.com/marina/marina:v1", Memory: "1Gi", PullSecret: "pull", Pool: "platform",
		Toleration: "Exists", Priority: "high", Replicas: 3, Args: []string{"--v=4", "--image-tag=v1"},
	}
	have := values{
		Image: pod.Containers[0].Image, Memory: pod.Containers[0].Resources.Limits.Memory().String(), PullSecret: pod.ImagePullSecrets[0].Name,
		Pool: pod.NodeSelector["pool"], Toleration: string(pod.Tolerations[0].Operator), Priority: pod.PriorityClassName,
		Replicas: *got.Spec.Replicas, Args: pod.Containers[0].Args,
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("the Deployment (-want +got):\n%s", d)
	}
	for _, o := range objects {
		if o.GetKind() == "NetworkPolicy" {
			t.Errorf("there is the NetworkPolicy %s, want none", o.GetName())
		}
	}
}
