package chart

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A Cluster that is exposed at one node says when that node is gone, and what to do. No
// other address is taken for it: whoever has a kubeconfig knows only this one.
func TestTheNodeOfANodePortIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		startBuiltIn(t, s)
		class := &v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: "at-a-node"}}
		class.Spec.EtcdClusters = []string{"nowhere"}
		class.Spec.NodeAccess = v1alpha1.NodeAccessKonnectivity
		class.Spec.Exposure = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort}
		create(t, s, class)
		createNode(t, s)
		m := startManager(t, s)
		cluster := newCluster("at-a-node", class.Name)
		await(t, "a cluster that is accepted", func(ctx context.Context) error { return s.client.Create(ctx, cluster.DeepCopy()) })

		reason := func(ctx context.Context) (string, string, error) {
			if err := s.get(ctx, cluster); err != nil {
				return "", "", err
			}
			c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionControlPlaneReady)
			if c == nil || cluster.Status.Endpoint == "" {
				return "", "", fmt.Errorf("condition %+v, endpoint %q", c, cluster.Status.Endpoint)
			}
			return c.Reason, c.Message, nil
		}
		found := func(lost bool) func(context.Context) error {
			return func(ctx context.Context) error {
				why, message, err := reason(ctx)
				if err == nil && (why == "AddressLost") != lost {
					err = fmt.Errorf("ControlPlaneReady: %s: %s", why, message)
				}
				if err == nil && lost && (!strings.Contains(message, "192.0.2.1") || !strings.Contains(message, "exposure.address")) {
					err = fmt.Errorf("it does not say which address, or what to do: %s", message)
				}
				return err
			}
		}
		await(t, "an address", found(false))
		endpoint := cluster.Status.Endpoint
		if err := s.client.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}); err != nil {
			t.Fatal(err)
		}
		await(t, "that the node is gone", found(true))
		if cluster.Status.Endpoint != endpoint {
			t.Errorf("the endpoint went from %s to %s: nobody knows that one", endpoint, cluster.Status.Endpoint)
		}
		m.stop(t)
		startManager(t, s)
		await(t, "a manager that finds it gone", found(true))
		createNode(t, s)
		await(t, "that the address is back", found(false))

		if err := s.client.Delete(t.Context(), cluster); err != nil {
			t.Fatal(err)
		}
		await(t, "the deletion of the cluster", func(ctx context.Context) error { return gone(ctx, s, cluster) })
	})
}
