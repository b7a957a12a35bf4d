package local

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestNetworkInACloud takes a cluster through its life in a cloud, as its user sees it: what
// the quota lacks is said and waited for, and with the cluster goes all that it had there.
func TestNetworkInACloud(t *testing.T) {
	cloud, err := openstacksim.Start(openstacksim.Options{})
	check(t, err)
	t.Cleanup(cloud.Close)
	platform, team := cloud.AddProject("platform", "reader"), cloud.AddProject("team")
	cloud.AddFlavor("b3-8", 2, 8192, 50)
	cloud.AddImage("node", nil)
	cloud.AddVolumeType("ssd")
	cloud.AddExternalNetwork("public", "203.0.113.0/24")
	cloud.SetUp()
	cloud.SetQuota(team.ID, "network", "router", 0)

	secret := func(namespace, name string, project openstacksim.Project) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			StringData: map[string]string{v1alpha1.CloudsKey: cloud.CloudsYAML(project)},
		}
	}
	theirs := secret(v1alpha1.SystemNamespace, "paris", platform)
	theirs.Labels = map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}
	check(t, shared.Client.Create(t.Context(), theirs))
	for _, name := range []string{"mine", "renewed", "last"} {
		check(t, shared.Client.Create(t.Context(), secret("default", name, team)))
	}
	infra := &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Spec: v1alpha1.InfrastructureSpec{
		AuthURL: cloud.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: "paris"},
		ExternalNetwork: "public", Flavors: []string{"b3-8"},
		Releases: []v1alpha1.InfrastructureRelease{{Release: harness.Release, Image: "node"}},
	}}
	check(t, shared.Client.Create(t.Context(), infra))
	t.Cleanup(func() { _ = shared.Client.Delete(context.Background(), infra) })

	// Other credentials are taken up at once, and with them the cloud is looked at anew.
	look := func(secret string) {
		t.Helper()
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"credentialsRef": {"name": "`+secret+`"}}}`))
		check(t, shared.Client.Patch(t.Context(), newCluster("placed", ""), patch))
	}

	pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "none"}}
	pool.Spec = v1alpha1.NodePoolSpec{ClusterRef: v1alpha1.LocalReference{Name: "placed"}, Flavor: "b3-8", Replicas: new(int32)}
	check(t, shared.Client.Create(t.Context(), pool))
	_, err = shared.CLI(t.Context(), "cluster", "create", "placed", "--infrastructure", "paris", "--credentials", "mine", "--wait")
	if err == nil || !strings.Contains(err.Error(), "0 of 0 routers are used") {
		t.Errorf("waiting for a cluster without the quota for it: %v; want the quota and its numbers", err)
	}
	cloud.SetQuota(team.ID, "network", "router", 1)
	look("renewed")
	check(t, awaitPhase(t.Context(), shared, "placed", v1alpha1.ClusterActive))
	c, err := getCluster(t.Context(), shared, "placed")
	check(t, err)
	if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionNetworkReady) {
		t.Errorf("it is Active, and its network is not ready: %+v", c.Status.Conditions)
	}
	made := map[string]int{}
	for _, leak := range cloud.Leaks(team.ID) {
		made[leak.Kind]++
	}
	if diff := cmp.Diff(map[string]int{"network": 1, "subnet": 1, "router": 1, "security group": 1, "port": 1}, made); diff != "" {
		t.Errorf("in the cloud (-want +got):\n%s", diff)
	}

	// Without credentials nothing is forgotten.
	look("none")
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		now, err := getCluster(ctx, shared, "placed")
		if err != nil {
			return harness.Fatal(err)
		}
		ready := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionNetworkReady)
		if ready == nil || !strings.Contains(ready.Message, "Secret default/none does not exist: create it") {
			return fmt.Errorf("it does not know yet that its credentials are gone: %+v", ready)
		}
		return nil
	}))
	cloud.ResetCalls()
	check(t, shared.Client.Delete(t.Context(), c))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		now, err := getCluster(ctx, shared, "placed")
		if err != nil {
			return harness.Fatal(err)
		}
		if !strings.Contains(now.Status.Message, "Secret default/none does not exist: create it") {
			return fmt.Errorf("%s: %s", now.Status.Phase, now.Status.Message)
		}
		return nil
	}))
	if calls := cloud.Calls(front.Match{Project: team.ID}); len(calls) > 0 {
		t.Errorf("requests without credentials: %v", calls)
	}
	look("last")
	gone(t, shared, c)
	if left := cloud.Leaks(team.ID); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
