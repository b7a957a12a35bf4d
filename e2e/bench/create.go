package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/access"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// creation is how long one cluster took, and what it cost.
type creation struct {
	cluster                    *v1alpha1.Cluster
	firstGet, ready, available time.Duration
	requests, writes           int
}

// create applies a cluster and watches it come up. The first GET is asked for as
// its administrator would: with a kubeconfig that is issued as soon as there is one
// to issue, and for something that needs the administrator's rights.
func create(ctx context.Context, m *harness.Marina, name, version string) (creation, error) {
	before, err := usage(ctx, m)
	if err != nil {
		return creation{}, err
	}
	c := creation{cluster: &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.ClusterSpec{Version: version},
	}}
	began := time.Now()
	if err := m.Client.Create(ctx, c.cluster); err != nil {
		return c, err
	}
	err = harness.Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		if err := m.Client.Get(ctx, client.ObjectKeyFromObject(c.cluster), c.cluster); err != nil {
			return err
		}
		if c.firstGet == 0 && get(ctx, m, c.cluster) == nil {
			c.firstGet = time.Since(began)
		}
		conditions := c.cluster.Status.Conditions
		if c.ready == 0 && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
			c.ready = time.Since(began)
		}
		if c.firstGet > 0 && c.ready > 0 && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionAvailable) {
			c.available = time.Since(began)
			return nil
		}
		return fmt.Errorf("cluster %s is %s: %v", name, c.cluster.Status.Phase, conditions)
	})
	if err != nil {
		return c, err
	}
	after, err := usage(ctx, m)
	c.requests, c.writes = after.requests-before.requests, after.writes-before.writes
	return c, err
}

// get asks a tenant for its namespaces as its administrator.
func get(ctx context.Context, m *harness.Marina, cluster *v1alpha1.Cluster) error {
	issued, err := access.Kubeconfig(ctx, m.Client, cluster, access.Request{TTL: access.DefaultTTL}, time.Now())
	if err != nil {
		return err
	}
	config, err := clientcmd.NewDefaultClientConfig(*issued, nil).ClientConfig()
	if err != nil {
		return err
	}
	config.Timeout = time.Second
	tenant, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	_, err = tenant.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	return err
}

// remove deletes a cluster and waits until it is gone.
func remove(ctx context.Context, m *harness.Marina, cluster *v1alpha1.Cluster) error {
	if err := m.Client.Delete(ctx, cluster); err != nil {
		return err
	}
	return harness.Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		err := m.Client.Get(ctx, client.ObjectKeyFromObject(cluster), cluster)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		default:
			return fmt.Errorf("cluster %s is still there", cluster.Name)
		}
	})
}

// awaitEtcd waits until the shared etcd is complete, so that the first cluster does
// not wait for it.
func awaitEtcd(ctx context.Context, m *harness.Marina) error {
	return harness.Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		etcd := &v1alpha1.EtcdCluster{}
		if err := m.Client.Get(ctx, client.ObjectKey{Name: "default"}, etcd); err != nil {
			return err
		}
		if etcd.Status.ReadyMembers != 3 {
			return fmt.Errorf("%d members of etcd are ready", etcd.Status.ReadyMembers)
		}
		return nil
	})
}
