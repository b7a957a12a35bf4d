package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Who boots machines asks for what they need by a NodeBootstrap: a node joins with that, and
// nothing more does once it is deleted.
func TestANodeJoinsByANodeBootstrap(t *testing.T) {
	const cluster, name = "new", "machine"
	c, _ := tenant(t, shared, cluster)
	current, err := getCluster(t.Context(), shared, cluster)
	check(t, err)
	asked := &v1alpha1.NodeBootstrap{
		ObjectMeta: metav1.ObjectMeta{Namespace: current.Status.Namespace, Name: name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
		Spec:       v1alpha1.NodeBootstrapSpec{NodeName: name, TTLSeconds: 600},
	}
	check(t, shared.Client.Create(t.Context(), asked))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		if err := shared.Client.Get(ctx, client.ObjectKeyFromObject(asked), asked); err != nil {
			return err
		}
		if !reconcile.IsTrue(asked.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("it is not ready: %v", asked.Status.Conditions)
		}
		return nil
	}))
	given := &corev1.Secret{}
	check(t, shared.Client.Get(t.Context(), client.ObjectKey{Namespace: asked.Namespace, Name: asked.Status.SecretName}, given))
	if text := string(given.Data[v1alpha1.KeyKubeletConfiguration]); !strings.Contains(text, "kind: KubeletConfiguration") || !strings.Contains(text, "clusterDNS") {
		t.Errorf("the kubelet's configuration is %q", text)
	}
	joinWith(t, cluster, name, given.Data[v1alpha1.KeyKubeconfig])
	check(t, nodeIs(t.Context(), c, name, corev1.ConditionTrue))

	token := "bootstrap-token-" + string(given.Data["token-id"])
	_, err = c.CoreV1().Secrets(metav1.NamespaceSystem).Get(t.Context(), token, metav1.GetOptions{})
	check(t, err)
	check(t, shared.Client.Delete(t.Context(), asked))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		_, inTenant := c.CoreV1().Secrets(metav1.NamespaceSystem).Get(ctx, token, metav1.GetOptions{})
		beside := shared.Client.Get(ctx, client.ObjectKeyFromObject(given), given)
		if !apierrors.IsNotFound(inTenant) || !apierrors.IsNotFound(beside) {
			return errors.Join(fmt.Errorf("the token or its Secret is still there"), inTenant, beside)
		}
		return nil
	}))
}
