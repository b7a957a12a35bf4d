package pools

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// orbit makes a load balancer, and a volume that a pod on a node has. The test plays the part of
// the cloud's controllers, which hold both until they are told to go.
func (s *scene) orbit(t testing.TB, node string) {
	t.Helper()
	core := s.tenant.CoreV1()
	_, err := core.Services("default").Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Finalizers: []string{"service.kubernetes.io/load-balancer-cleanup"}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	check(t, err)
	class, size := "", corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	claim, err := core.PersistentVolumeClaims("default").Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, VolumeName: "pvc-1", AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: size},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	_, err = core.PersistentVolumes().Create(t.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pvc-1", Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": "cinder.csi.openstack.org"}},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: claim.Spec.AccessModes, Capacity: size, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			ClaimRef:               &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: "default", Name: "data", UID: claim.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "cinder.csi.openstack.org", VolumeHandle: "v"}},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	_, err = core.Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "db"},
		Spec: corev1.PodSpec{
			NodeName: node, Containers: []corev1.Container{{Name: "main", Image: "main"}}, TerminationGracePeriodSeconds: new(int64(1)),
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}},
		},
	}, metav1.CreateOptions{})
	check(t, err)
}

// deorbits checks that a Cluster that is deleted waits, and lets go of what it waits for: the
// claim is gone by itself, since nothing has it any more.
func (s *scene) deorbits(t testing.TB, pool string) {
	t.Helper()
	core := s.tenant.CoreV1()
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		c, err := harness.GetCluster(ctx, s.Marina, s.cluster.Name)
		if err != nil {
			return harness.Fatal(err)
		}
		want := "the latest: the load balancer of service default/web, volume pvc-1 of claim default/data"
		if c.Status.Phase != v1alpha1.ClusterDeleting || !strings.HasSuffix(c.Status.Message, want) {
			return fmt.Errorf("it is %s: %s; want what it waits for", c.Status.Phase, c.Status.Message)
		}
		_, err = core.PersistentVolumeClaims("default").Get(ctx, "data", metav1.GetOptions{})
		if err == nil {
			return errors.New("the claim is still there")
		}
		return client.IgnoreNotFound(err)
	}))
	if len(s.nodes(t, pool)) == 0 {
		t.Error("the nodes have gone first")
	}
	free(t, s.tenant)
}

// free does what the cloud's controllers do when they have deleted a load balancer and a volume.
func free(t testing.TB, tenant kubernetes.Interface) {
	t.Helper()
	_, err := tenant.CoreV1().Services("default").Patch(t.Context(), "web", types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{})
	check(t, err)
	check(t, tenant.CoreV1().PersistentVolumes().Delete(t.Context(), "pvc-1", metav1.DeleteOptions{}))
}
