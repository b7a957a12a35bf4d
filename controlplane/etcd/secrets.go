package etcd

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
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
func writeSecret(ctx context.Context, c client.Client, want, live *corev1.Secret) error {
	if live != nil && reconcile.Same(want, live, want.Data, live.Data) {
		return nil
	}
	return reconcile.Apply(ctx, c, want)
}

// leaf returns the stored pair if the policies find it good, and a new one
// otherwise, with the time at which it falls due. ca is the data of the CA's
// Secret: whom the holder trusts is what it says under ca.crt.
func leaf(stored *corev1.Secret, ca map[string][]byte, request pki.Request, now time.Time) (data map[string][]byte, renewAt time.Time, err error) {
	signer, trusted := pki.FromSecretData(ca)
	var pair pki.KeyPair
	if stored != nil {
		pair, _ = pki.FromSecretData(stored.Data)
	}
	input, err := pki.Load(pair, signer.CertPEM, request, now)
	if err != nil {
		return nil, renewAt, err
	}
	if _, _, violated := pki.Evaluate(pki.LeafPolicies(), input); !violated {
		return pki.SecretData(pair, trusted), pki.RenewAt(input.Cert), nil
	}
	if pair, err = signer.Issue(request, now); err != nil {
		return nil, renewAt, err
	}
	cert, err := pair.Certificate()
	if err != nil {
		return nil, renewAt, err
	}
	return pki.SecretData(pair, trusted), pki.RenewAt(cert), nil
}

// connect returns the administrator's client of an EtcdCluster.
func connect(ctx context.Context, c client.Reader, pool *Pool, cluster *v1alpha1.EtcdCluster) (*Admin, error) {
	key := secretKey(cluster.Name, component.EtcdSecretRoot)
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
