package local

import (
	"bytes"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestSecretsAreEncryptedAtRest(t *testing.T) {
	c, _ := tenant(t, shared, "new")
	const words = "a-secret-in-plain-words"
	_, err := c.CoreV1().Secrets("default").Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "at-rest"}, StringData: map[string]string{"words": words},
	}, metav1.CreateOptions{})
	check(t, err)

	cluster, err := getCluster(t.Context(), shared, "new")
	check(t, err)
	stored, err := harness.EtcdRoot(t, shared).Get(t.Context(), "/"+string(cluster.UID)+"/secrets/default/at-rest")
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
	c := harness.EtcdAs(t, shared, a.Status.Namespace, v1alpha1.SecretEtcdClient)
	if _, err := c.Get(t.Context(), "/"+string(a.UID)+"/", clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil {
		t.Errorf("its own prefix: %v", err)
	}
	for _, prefix := range []string{"/" + string(b.UID) + "/", "/", ""} {
		if _, err := c.Get(t.Context(), prefix, clientv3.WithPrefix(), clientv3.WithCountOnly()); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("prefix %q: %v, want permission denied", prefix, err)
		}
	}
}
