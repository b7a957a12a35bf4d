package etcd

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// readSecret returns a Secret, or nil when it does not exist.
func readSecret(ctx context.Context, c client.Reader, key types.NamespacedName) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, key, secret); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return secret, nil
}

// writeSecret makes a Secret what is wanted, and writes nothing when live already is.
// What is wanted follows from what live holds, so that one that has changed since is
// a conflict: a pair that was just renewed would be renewed again.
func writeSecret(ctx context.Context, c client.Client, want, live *corev1.Secret) error {
	if live != nil && reconcile.Same(want, live, want.Data, live.Data) {
		return nil
	}
	if live != nil {
		want.ResourceVersion = live.ResourceVersion
	}
	return reconcile.Apply(ctx, c, want)
}

// dataOf is what a Secret holds; one that does not exist holds nothing.
func dataOf(secret *corev1.Secret) map[string][]byte {
	if secret == nil {
		return nil
	}
	return secret.Data
}

// connect returns the administrator's client of an EtcdCluster.
func connect(ctx context.Context, c client.Reader, pool *Pool, cluster *v1alpha1.EtcdCluster) (*Admin, error) {
	key := rootKey(cluster)
	secret, err := readSecret(ctx, c, key)
	if err != nil {
		return nil, err
	}
	if secret == nil || len(cluster.Status.Endpoints) == 0 {
		return nil, reconcile.WaitFor(lookAgain, "WaitingForEtcdCluster", "EtcdCluster %s is being prepared", cluster.Name)
	}
	pair, ca := pki.FromSecretData(secret.Data)
	admin, err := pool.Admin(cluster.Name, Connection{Endpoints: cluster.Status.Endpoints, Pair: pair, CA: ca})
	if err != nil {
		return nil, reconcile.Retry(err, "InvalidSecret", "Secret %s: %v", key, err)
	}
	return admin, nil
}

// earlier returns the earlier of two times; zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// caError says of a CA that cannot sign what a person has to do. It is never
// replaced by itself: all tenants trust it.
func caError(err error, key types.NamespacedName) error {
	return reconcile.UserError("CAUnusable", "Secret %s: %v: restore it from a backup", key, err)
}
