package hosted

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Everything that Marina owns comes back, and what belongs to others is left alone,
// by looks that write nothing.
func TestWhatIsAppliedIsKept(t *testing.T) {
	in := newInTenant(t)
	dns := &appsv1.Deployment{ObjectMeta: named("kube-system", "coredns")}
	proxy := &corev1.ConfigMap{ObjectMeta: named("kube-system", "kube-proxy")}
	admins := &rbacv1.ClusterRoleBinding{ObjectMeta: named("", "marina:cluster-admins")}
	corefile := &corev1.ConfigMap{ObjectMeta: named("kube-system", "coredns")}
	info := &corev1.ConfigMap{ObjectMeta: named("kube-public", "cluster-info")}
	cases := map[string]struct {
		happens func(*inTenant)
		noticed bool
	}{
		"nothing":                    {func(*inTenant) {}, false},
		"a Deployment is deleted":    {func(in *inTenant) { in.remove(dns.DeepCopy()) }, true},
		"a binding is deleted":       {func(in *inTenant) { in.remove(admins.DeepCopy()) }, true},
		"the Corefile is deleted":    {func(in *inTenant) { in.remove(corefile.DeepCopy()) }, true},
		"an image is changed":        {func(in *inTenant) { in.as(dns, func() { dns.Spec.Template.Spec.Containers[0].Image = "x" }) }, true},
		"it is scaled to nothing":    {func(in *inTenant) { in.as(dns, func() { dns.Spec.Replicas = new(int32(0)) }) }, true},
		"a configuration is changed": {func(in *inTenant) { in.as(proxy, func() { proxy.Data["config.conf"] += "#" }) }, true},
		"a configuration is emptied": {func(in *inTenant) { in.as(proxy, func() { proxy.Data = nil }) }, true},
		"our label is taken away":    {func(in *inTenant) { in.as(admins, func() { admins.Labels = nil }) }, true},
		"somebody joins our admins": {func(in *inTenant) {
			in.as(admins, func() { admins.Subjects = append(admins.Subjects, admins.Subjects[0]) })
		}, true},
		"cluster-info is signed":         {func(in *inTenant) { in.as(info, func() { info.Data["jws-kubeconfig-abcdef"] = "x" }) }, false},
		"a controller notes something":   {func(in *inTenant) { in.as(dns, func() { dns.Annotations = map[string]string{"revision": "1"} }) }, false},
		"the Corefile is edited":         {func(in *inTenant) { in.as(corefile, func() { corefile.Data["Corefile"] = "mine" }) }, false},
		"the Corefile loses our label":   {func(in *inTenant) { in.as(corefile, func() { corefile.Labels = nil }) }, false},
		"somebody makes it look as ours": {func(in *inTenant) { in.as(info, func() { info.Labels["app.kubernetes.io/part-of"] = "x" }) }, false},
		"a status is written": {func(in *inTenant) {
			if err := in.client.Get(in.Context(), client.ObjectKeyFromObject(dns), dns); err != nil {
				in.Fatal(err)
			}
			dns.Status.Replicas++
			if err := in.client.Status().Update(in.Context(), dns); err != nil {
				in.Fatal(err)
			}
		}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in.TB = t
			kept := in.apply(in.set, true)
			tc.happens(in)
			if got := in.looks(); got != tc.noticed {
				t.Fatalf("noticed: %v, want %v", got, tc.noticed)
			}
			if got := in.keeper.drifted(); got != tc.noticed {
				t.Errorf("the next pass applies: %v, want %v", got, tc.noticed)
			}
			if got := in.apply(in.set, true); got != kept {
				t.Error("applied again it is not as it was")
			}
			before := in.versions()
			if got := in.apply(in.set, true); got != kept {
				t.Error("applied once more it is not as it was")
			}
			if diff := cmp.Diff(before, in.versions()); diff != "" {
				t.Errorf("a second pass wrote something:\n%s", diff)
			}
		})
	}
}

// A look costs one list for each kind, and none for what is not applied.
func TestWhatALookCosts(t *testing.T) {
	in := newInTenant(t)
	in.requests = nil
	in.keeper.look(t.Context())
	slices.Sort(in.requests)
	var want []string
	for _, kind := range []string{"ClusterRoleBinding", "ClusterRole", "ConfigMap", "DaemonSet", "Deployment", "EndpointSlice",
		"Endpoints", "PodDisruptionBudget", "RoleBinding", "Role", "ServiceAccount", "Service"} {
		want = append(want, "list *v1.PartialObjectMetadataList "+kind+"List from 0")
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, in.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Agents go when nodes are reached directly; what has the same name and is not
// Marina's stays.
func TestWhatIsObsoleteGoes(t *testing.T) {
	in := newInTenant(t)
	agents := &appsv1.Deployment{ObjectMeta: named("kube-system", "konnectivity-agent")}
	theirs := &corev1.ServiceAccount{ObjectMeta: named("kube-system", "konnectivity-agent")}
	in.as(theirs, func() { theirs.Labels = nil })
	in.apply(tenantSet(t, ""), true)
	if err := in.client.Get(t.Context(), client.ObjectKeyFromObject(agents), agents); !apierrors.IsNotFound(err) {
		t.Errorf("the agents are still there: %v", err)
	}
	if err := in.client.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs); err != nil {
		t.Errorf("somebody else's is gone: %v", err)
	}
	if in.looks() {
		t.Error("a pass is asked for although nothing is wrong")
	}
}

// Whether agents run is told when it changes, and only then.
func TestAgentsAreLookedFor(t *testing.T) {
	in := newInTenant(t)
	in.keeper.lookForAgents(t.Context())
	if found := in.keeper.agents(); in.asked != 1 || found == nil || found.ready != 0 || !in.keeper.lacksAgents() {
		t.Fatalf("told %d times, found %+v; want none, and that it is told", in.asked, found)
	}
	agents := &appsv1.Deployment{ObjectMeta: named("kube-system", "konnectivity-agent")}
	for _, ready := range []int32{1, 3, 3} {
		if err := in.client.Get(t.Context(), client.ObjectKeyFromObject(agents), agents); err != nil {
			t.Fatal(err)
		}
		agents.Status.Replicas, agents.Status.ReadyReplicas, agents.Status.AvailableReplicas = 3, ready, ready
		if err := in.client.Status().Update(t.Context(), agents); err != nil {
			t.Fatal(err)
		}
		in.keeper.lookForAgents(t.Context())
		if in.asked != 2 || in.keeper.lacksAgents() {
			t.Errorf("%d agents are ready: told %d times in all, want 2", ready, in.asked)
		}
	}
}
