//go:build kind

package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// state is what runs for the tenants, at an instant.
type state struct {
	// pods by namespace/name.
	pods map[string]types.UID
	// restarts by namespace/pod/container.
	restarts map[string]int32
	// rollouts are the generations of Deployments and StatefulSets.
	rollouts map[string]int64
}

// change is what a case may change of it: of one component of one namespace.
type change struct {
	namespace, component string
	// replaced pods are new ones, all of them or one; restarted containers are in the
	// same pods.
	replaced, one, restarted bool
}

// hosting are the namespaces of some tenants and Marina's own.
func hosting(tenants []*tenant) []string {
	namespaces := []string{v1alpha1.SystemNamespace}
	for _, s := range tenants {
		namespaces = append(namespaces, s.namespace)
	}
	return namespaces
}

func observe(t *testing.T, tenants []*tenant) state {
	t.Helper()
	now := state{map[string]types.UID{}, map[string]int32{}, map[string]int64{}}
	for _, namespace := range hosting(tenants) {
		pods, deployments, sets := &corev1.PodList{}, &appsv1.DeploymentList{}, &appsv1.StatefulSetList{}
		for _, list := range []client.ObjectList{pods, deployments, sets} {
			harness.Check(t, management.client.List(t.Context(), list, client.InNamespace(namespace)))
		}
		for _, pod := range pods.Items {
			now.pods[namespace+"/"+pod.Name] = pod.UID
			for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
				now.restarts[namespace+"/"+pod.Name+"/"+c.Name] = c.RestartCount
			}
		}
		for _, d := range deployments.Items {
			now.rollouts[namespace+"/"+d.Name] = d.Generation
		}
		for _, s := range sets.Items {
			now.rollouts[namespace+"/"+s.Name] = s.Generation
		}
	}
	return now
}

// assertInvariants checks what has to hold after everything that is done to tenants: all
// are well without help, nothing was replaced or restarted but what had to be, nothing
// was rolled out twice, and nothing is written any more.
func assertInvariants(t *testing.T, tenants []*tenant, before state, changes []change) {
	t.Helper()
	for _, s := range tenants {
		s.awaitReplicas(t)
		s.awaitWell(t)
	}
	awaitStill(t, tenants, 10*time.Second)
	after := observe(t, tenants)
	for name, generation := range after.rollouts {
		want := before.rollouts[name]
		if c := changed(changes, name); c.replaced {
			want++
		}
		if generation != want && before.rollouts[name] != 0 {
			t.Errorf("%s was written %d times, want %d", name, generation-before.rollouts[name], want-before.rollouts[name])
		}
	}
	for name, uid := range before.pods {
		switch c := changed(changes, name); {
		case c.replaced && after.pods[name] == uid:
			t.Errorf("pod %s is the same, want another", name)
		case !c.replaced && !c.one && after.pods[name] != uid:
			t.Errorf("pod %s has been replaced", name)
		}
	}
	for name, count := range after.restarts {
		if c := changed(changes, name); !c.restarted && count != before.restarts[name] {
			t.Errorf("container %s was restarted %d times", name, count-before.restarts[name])
		}
	}
}

// changed is the change of the component that an object belongs to.
func changed(changes []change, name string) change {
	for _, c := range changes {
		if rest, ok := strings.CutPrefix(name, c.namespace+"/"+c.component); ok && (rest == "" || rest[0] == '-') {
			return c
		}
	}
	return change{}
}

// awaitWell waits until the cluster and the shared etcd say that all is well.
func (s *tenant) awaitWell(t *testing.T) {
	t.Helper()
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, time.Minute, func(ctx context.Context) error {
		c, etcd := &v1alpha1.Cluster{}, &v1alpha1.EtcdCluster{}
		if err := management.client.Get(ctx, client.ObjectKey{Namespace: "default", Name: s.name}, c); err != nil {
			return err
		}
		if err := management.client.Get(ctx, client.ObjectKey{Name: "default"}, etcd); err != nil {
			return err
		}
		if c.Status.Phase != v1alpha1.ClusterActive {
			return fmt.Errorf("cluster %s is %s: %s", s.name, c.Status.Phase, c.Status.Message)
		}
		for _, condition := range slices.Concat(c.Status.Conditions, etcd.Status.Conditions) {
			// A cluster without nodes does not know whether it could reach some.
			if condition.Status == metav1.ConditionFalse {
				return fmt.Errorf("cluster %s or etcd: %s: %s: %s", s.name, condition.Type, condition.Reason, condition.Message)
			}
		}
		return nil
	}))
}

// awaitStill waits until nothing of the tenants has been written for a while. What only
// tells of pods is not counted, nor are Leases.
func awaitStill(t *testing.T, tenants []*tenant, still time.Duration) {
	t.Helper()
	last, since := map[string]string{}, time.Now()
	harness.Check(t, harness.AwaitEvery(t.Context(), 2*time.Second, 2*time.Minute, func(ctx context.Context) error {
		now, err := written(ctx, tenants)
		if err != nil {
			return err
		}
		if !maps.Equal(now, last) {
			var what []string
			for name, version := range now {
				if last[name] != version {
					what = append(what, name)
				}
			}
			last, since = now, time.Now()
			return fmt.Errorf("just written: %v", what)
		}
		if time.Since(since) < still {
			return fmt.Errorf("nothing was written for %s", time.Since(since))
		}
		return nil
	}))
}

// written is the version of everything that Marina writes for the tenants.
func written(ctx context.Context, tenants []*tenant) (map[string]string, error) {
	versions := map[string]string{}
	for _, namespace := range append(hosting(tenants), "default", "") {
		lists := []client.ObjectList{
			&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &corev1.ServiceList{}, &corev1.SecretList{}, &corev1.ConfigMapList{},
			&networkingv1.NetworkPolicyList{}, &policyv1.PodDisruptionBudgetList{},
			&v1alpha1.HostedControlPlaneList{}, &v1alpha1.EtcdTenantList{},
		}
		switch namespace {
		case "default":
			lists = []client.ObjectList{&v1alpha1.ClusterList{}, &v1alpha1.OperationList{}}
		case "":
			lists = []client.ObjectList{&v1alpha1.EtcdClusterList{}, &v1alpha1.HostingClassList{}}
		}
		for _, list := range lists {
			if err := management.client.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return nil, err
			}
			objects, err := meta.ExtractList(list)
			if err != nil {
				return nil, err
			}
			for _, o := range objects {
				object := o.(client.Object)
				version, err := versionOf(object)
				if err != nil {
					return nil, err
				}
				versions[fmt.Sprintf("%T %s/%s", o, object.GetNamespace(), object.GetName())] = version
			}
		}
	}
	return versions, nil
}

// versionOf is the resource version of an object. Of an EtcdCluster it is all but what its
// members do by themselves, which is written down: they grow, and elect a leader.
func versionOf(object client.Object) (string, error) {
	etcd, ok := object.(*v1alpha1.EtcdCluster)
	if !ok {
		return object.GetResourceVersion(), nil
	}
	etcd = etcd.DeepCopy()
	etcd.ResourceVersion, etcd.ManagedFields = "", nil
	for i := range etcd.Status.Members {
		m := &etcd.Status.Members[i]
		m.DBSize, m.Leader = 0, false
	}
	text, err := json.Marshal(etcd)
	return string(text), err
}
