//go:build openstack

package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// web runs a server on every node, of an image that is in the node image and nowhere else,
// behind a Service that each node answers for itself.
func (s *scene) web(t *testing.T) *corev1.Service {
	t.Helper()
	release := &v1alpha1.KubernetesRelease{}
	check(t, s.Client.Get(t.Context(), client.ObjectKey{Name: harness.Release}, release))
	labels := map[string]string{"app": "web"}
	meta := metav1.ObjectMeta{Name: "web", Namespace: "default"}
	_, err := s.tenant.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"Corefile": ".:5353 {\n  health :8080\n}\n"}}, metav1.CreateOptions{})
	check(t, err)
	_, err = s.tenant.AppsV1().DaemonSets("default").Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(1)),
			Containers: []corev1.Container{{
				Name: "web", Image: "marina.local/coredns:" + release.Spec.Addons.CoreDNS, ImagePullPolicy: corev1.PullNever,
				Args:         []string{"-conf", "/etc/coredns/Corefile"},
				VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns"}},
			}},
			Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "web"}}}}},
		}},
	}}, metav1.CreateOptions{})
	check(t, err)
	service, err := s.tenant.CoreV1().Services("default").Create(t.Context(), &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal, Selector: labels,
		Ports: []corev1.ServicePort{{Port: 8080}},
	}}, metav1.CreateOptions{})
	check(t, err)
	return service
}

// answers waits until a server does, to a connection of its own.
func answers(t *testing.T, url string, limit time.Duration) {
	t.Helper()
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	check(t, harness.AwaitEvery(t.Context(), time.Second, limit, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := c.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s: %s (%w)", url, response.Status, body, err)
		}
		return nil
	}))
}

// dial connects, and gives up after two seconds.
func dial(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}
