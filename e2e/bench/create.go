package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// creation is how long one cluster took, and what it cost.
type creation struct {
	harness.Creation
	cluster          *v1alpha1.Cluster
	requests, writes int
}

// create creates a cluster and counts what Marina asks of the management API for it.
func create(ctx context.Context, m *harness.Marina, name, version string) (creation, error) {
	c := creation{cluster: harness.NewCluster(name, version)}
	before, err := usage(ctx, m)
	if err != nil {
		return c, err
	}
	if c.Creation, err = harness.Create(ctx, m.Client, c.cluster, 3*time.Minute); err != nil {
		return c, err
	}
	after, err := usage(ctx, m)
	c.requests, c.writes = after.requests-before.requests, after.writes-before.writes
	return c, err
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
