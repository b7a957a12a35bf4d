package local

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// etcdAs connects to the shared etcd with the certificate in a Secret.
func etcdAs(t *testing.T, m *harness.Marina, namespace, secretName string) *clientv3.Client {
	t.Helper()
	etcd := &v1alpha1.EtcdCluster{}
	check(t, m.Client.Get(t.Context(), client.ObjectKey{Name: "default"}, etcd))
	secret := &corev1.Secret{}
	check(t, m.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: secretName}, secret))
	pair, err := tls.X509KeyPair(secret.Data[pki.CertKey], secret.Data[pki.PrivateKeyKey])
	check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(secret.Data[pki.CAKey])
	c, err := clientv3.New(clientv3.Config{
		Endpoints:   etcd.Status.Endpoints,
		DialTimeout: 5 * time.Second,
		TLS:         &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12},
	})
	check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// etcdRoot connects as etcd's administrator.
func etcdRoot(t *testing.T, m *harness.Marina) *clientv3.Client {
	return etcdAs(t, m, v1alpha1.SystemNamespace, "etcd-default-root")
}

// etcdLeft is what etcd holds of a tenant: keys, the user and the role.
func etcdLeft(ctx context.Context, root *clientv3.Client, uid string) (left []string, err error) {
	keys, err := root.Get(ctx, "/"+uid+"/", clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(3))
	if err != nil {
		return nil, err
	}
	for _, kv := range keys.Kvs {
		left = append(left, string(kv.Key))
	}
	users, err := root.UserList(ctx)
	if err != nil {
		return nil, err
	}
	for _, user := range users.Users {
		if user == uid {
			left = append(left, "user "+user)
		}
	}
	roles, err := root.RoleList(ctx)
	if err != nil {
		return nil, err
	}
	for _, role := range roles.Roles {
		if role == uid {
			left = append(left, "role "+role)
		}
	}
	return left, nil
}

func TestSecretsAreEncryptedAtRest(t *testing.T) {
	c, _ := tenant(t, shared, "new")
	const words = "a-secret-in-plain-words"
	_, err := c.CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "at-rest"}, StringData: map[string]string{"words": words},
	}, metav1.CreateOptions{})
	check(t, err)

	cluster, err := getCluster(t.Context(), shared, "new")
	check(t, err)
	stored, err := etcdRoot(t, shared).Get(t.Context(), "/"+string(cluster.UID)+"/secrets/default/at-rest")
	check(t, err)
	if len(stored.Kvs) != 1 {
		t.Fatalf("the Secret is not where it should be in etcd: %d keys", len(stored.Kvs))
	}
	value := stored.Kvs[0].Value
	if !strings.HasPrefix(string(value), "k8s:enc:secretbox:v1:") || bytes.Contains(value, []byte(words)) {
		t.Errorf("the Secret is stored as %.40q, want it encrypted", value)
	}
}

// What the tenants' own certificates may do is tested with etcd alone; this proves
// that the ones handed out here are of that kind.
func TestTheTenantsCertificateEndsAtItsPrefix(t *testing.T) {
	a, err := getCluster(t.Context(), shared, "old")
	check(t, err)
	b, err := getCluster(t.Context(), shared, "new")
	check(t, err)
	c := etcdAs(t, shared, a.Status.Namespace, v1alpha1.SecretEtcdClient)
	if _, err := c.Get(t.Context(), "/"+string(a.UID)+"/", clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil {
		t.Errorf("its own prefix: %v", err)
	}
	for _, prefix := range []string{"/" + string(b.UID) + "/", "/", ""} {
		if _, err := c.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly()); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("prefix %q: %v, want permission denied", prefix, err)
		}
	}
}
