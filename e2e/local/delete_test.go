package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// gone waits until a deleted cluster is no more, and then looks everywhere for
// what it may have left.
func gone(t *testing.T, m *harness.Marina, c *v1alpha1.Cluster) {
	t.Helper()
	namespace := cluster.NamespaceName(c)
	check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
		switch now, err := getCluster(ctx, m, c.Name); {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		default:
			return fmt.Errorf("still there: %v", now.Status.Conditions)
		}
	}))
	// Deleted while its finalizer was being added, a Cluster goes at once and what was
	// made for it a moment later.
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		switch err := m.Client.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{}); {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		default:
			return fmt.Errorf("management namespace %s is still there", namespace)
		}
	}))
	for name := range m.Processes() {
		if strings.HasPrefix(name, namespace+"/") {
			t.Errorf("process left: %s", name)
		}
	}
	matches, err := filepath.Glob(filepath.Join(m.Dir, "*", namespace+"*"))
	check(t, err)
	if len(matches) > 0 {
		t.Errorf("files left: %v", matches)
	}
	left, err := etcdLeft(t.Context(), etcdRoot(t, m), string(c.UID))
	check(t, err)
	if len(left) > 0 {
		t.Errorf("left in etcd: %v", left)
	}
}

// create creates a cluster and returns it with its UID.
func create(t *testing.T, m *harness.Marina, name string) *v1alpha1.Cluster {
	t.Helper()
	c := newCluster(name, "1.37.1-1")
	check(t, m.Client.Create(t.Context(), c))
	return c
}

func TestDeletionLeavesNothing(t *testing.T) {
	c := create(t, shared, "short-lived")
	check(t, awaitPhase(t.Context(), shared, c.Name, v1alpha1.ClusterActive))
	if left, err := etcdLeft(t.Context(), etcdRoot(t, shared), string(c.UID)); err != nil || len(left) < 3 {
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

	stopped := signalEtcd(t, m, 2, syscall.SIGSTOP)
	t.Cleanup(func() { resume(stopped) })
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
	resume(stopped)
	gone(t, m, c)
}

// signalEtcd sends a signal to some members of the shared etcd.
func signalEtcd(t *testing.T, m *harness.Marina, count int, signal syscall.Signal) (pids []int) {
	t.Helper()
	for name, pid := range m.Processes() {
		if strings.Contains(name, "/etcd-default/") && len(pids) < count {
			check(t, syscall.Kill(pid, signal))
			pids = append(pids, pid)
		}
	}
	if len(pids) != count {
		t.Fatalf("found %d members of etcd, want %d", len(pids), count)
	}
	return pids
}

func resume(pids []int) {
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			panic(err)
		}
	}
}
