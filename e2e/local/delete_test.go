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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestDeletionLeavesNothing(t *testing.T) {
	c := create(t, shared, "short-lived")
	check(t, awaitPhase(t.Context(), shared, c.Name, v1alpha1.ClusterActive))
	if left, err := harness.EtcdLeft(t.Context(), harness.EtcdRoot(t, shared), string(c.UID)); err != nil || len(left) < 3 {
		t.Fatalf("before the deletion etcd holds %v (%v): the test looks in the wrong place", left, err)
	}
	_, err := shared.CLI(t.Context(), "cluster", "delete", c.Name)
	check(t, err)
	gone(t, shared, c)
}

func TestDeletionInTheMiddleOfCreation(t *testing.T) {
	// exists succeeds when something of the cluster does; each is a later point.
	running := func(component string) func(context.Context, *v1alpha1.Cluster) error {
		return func(_ context.Context, c *v1alpha1.Cluster) error {
			for name := range shared.Processes() {
				if strings.HasPrefix(name, cluster.NamespaceName(c)+"/"+component) {
					return nil
				}
			}
			return fmt.Errorf("no %s runs yet", component)
		}
	}
	points := map[string]func(context.Context, *v1alpha1.Cluster) error{
		"at once": func(context.Context, *v1alpha1.Cluster) error { return nil },
		"when the namespace is there": func(ctx context.Context, c *v1alpha1.Cluster) error {
			return shared.Client.Get(ctx, client.ObjectKey{Name: cluster.NamespaceName(c)}, &corev1.Namespace{})
		},
		"when the tenant is in etcd": func(ctx context.Context, c *v1alpha1.Cluster) error {
			return shared.Client.Get(ctx, client.ObjectKey{Namespace: cluster.NamespaceName(c), Name: v1alpha1.SecretEtcdClient}, &corev1.Secret{})
		},
		"when the API server starts":         running("kube-apiserver"),
		"when the controller-manager starts": running("kube-controller-manager"),
	}
	number := 0
	for name, reached := range points {
		number++
		t.Run(name, func(t *testing.T) {
			c := create(t, shared, fmt.Sprintf("unfinished-%d", number))
			check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error { return reached(ctx, c) }))
			check(t, shared.Client.Delete(t.Context(), c))
			gone(t, shared, c)
		})
	}
}

func TestDeletionWaitsForEtcdAndGoesOn(t *testing.T) {
	m := start(t)
	c := create(t, m, "waiting")
	check(t, awaitPhase(t.Context(), m, c.Name, v1alpha1.ClusterActive))

	members := harness.EtcdMembers(t, m)[:2]
	for _, member := range members {
		harness.Hold(t, member.PID)
	}
	check(t, m.Client.Delete(t.Context(), c))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		now, err := getCluster(ctx, m, c.Name)
		if apierrors.IsNotFound(err) {
			return harness.Fatal(errors.New("it is gone although etcd was down"))
		}
		if err != nil {
			return err
		}
		for _, condition := range now.Status.Conditions {
			if condition.Type == v1alpha1.ConditionDeleting && strings.Contains(condition.Message, "etcd") {
				return nil
			}
		}
		return fmt.Errorf("no condition names etcd: %v", now.Status.Conditions)
	}))
	for _, member := range members {
		harness.Resume(t, member.PID)
	}
	gone(t, m, c)
}
