package access

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/kubeconfig"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

func readyCluster() *v1alpha1.Cluster {
	since := metav1.NewTime(day0)
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "demo"},
		Status: v1alpha1.ClusterStatus{
			Phase: v1alpha1.ClusterActive, Namespace: "marina-demo-12345678",
			Endpoint: "https://203.0.113.7:6443", ReadySince: &since,
		},
	}
}

func caSecret(data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "marina-demo-12345678", Name: "ca"}, Data: data}
}

func TestKubeconfig(t *testing.T) {
	ca := newCA(t, 0)
	reader := fake.NewClientBuilder().WithObjects(caSecret(pki.SecretData(ca, ca.CertPEM))).Build()
	cluster := readyCluster()
	// Degraded is when somebody wants to look.
	cluster.Status.Phase = v1alpha1.ClusterDegraded

	config, err := Kubeconfig(context.Background(), reader, cluster, Request{User: "alice", Groups: []string{"devs"}, TTL: 30 * day}, day0)
	if err != nil {
		t.Fatal(err)
	}
	if config.CurrentContext != "marina/team-a/demo" {
		t.Errorf("context %q, want marina/team-a/demo", config.CurrentContext)
	}
	current := config.Contexts[config.CurrentContext]
	server := config.Clusters[current.Cluster]
	if server.Server != "https://203.0.113.7:6443" || server.InsecureSkipTLSVerify {
		t.Errorf("server %q, insecure %v", server.Server, server.InsecureSkipTLSVerify)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(server.CertificateAuthorityData) {
		t.Fatal("no CA to check the server with")
	}
	user := config.AuthInfos[current.AuthInfo]
	cert, err := pki.KeyPair{CertPEM: user.ClientCertificateData}.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: day0, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("the API server would refuse the certificate: %v", err)
	}
	if cert.Subject.CommonName != "alice" || len(user.ClientKeyData) == 0 {
		t.Errorf("user %q, key of %d bytes", cert.Subject.CommonName, len(user.ClientKeyData))
	}
	if notAfter, err := kubeconfig.NotAfter(config); err != nil || !notAfter.Equal(day0.Add(30*day)) {
		t.Errorf("ends at %s (%v), want 30 days from now", notAfter, err)
	}
	data, err := kubeconfig.Encode(config)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), string(ca.KeyPEM)) {
		t.Error("the kubeconfig holds the key of the CA")
	}
}

// TestKubeconfigTrustsAllOfTheCAs: while a CA is rotated, servers with certificates of
// either are about.
func TestKubeconfigTrustsAllOfTheCAs(t *testing.T) {
	ca, old := newCA(t, 0), newCA(t, 0)
	both := string(ca.CertPEM) + string(old.CertPEM)
	reader := fake.NewClientBuilder().WithObjects(caSecret(pki.SecretData(ca, []byte(both)))).Build()
	config, err := Kubeconfig(context.Background(), reader, readyCluster(), Request{TTL: day}, day0)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(config.Clusters[config.CurrentContext].CertificateAuthorityData); got != both {
		t.Errorf("trusts\n%s\nwant both", got)
	}
}

// TestKubeconfigBeforeNodesCanJoin: administrators have their rights some seconds before a
// controller-manager leads, and a new cluster is theirs from then on.
func TestKubeconfigBeforeNodesCanJoin(t *testing.T) {
	ca := newCA(t, 0)
	reader := fake.NewClientBuilder().WithObjects(caSecret(pki.SecretData(ca, ca.CertPEM))).Build()
	cluster := readyCluster()
	cluster.Status.Phase, cluster.Status.ReadySince = v1alpha1.ClusterCreating, nil
	for _, status := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown, metav1.ConditionTrue} {
		cluster.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAddonsReady, Status: status}}
		config, err := Kubeconfig(context.Background(), reader, cluster, Request{TTL: day}, day0)
		if issued := config != nil; issued != (status == metav1.ConditionTrue) {
			t.Errorf("AddonsReady %s: issued %v, %v", status, issued, err)
		}
	}
}

func TestKubeconfigWithoutCABundle(t *testing.T) {
	ca := newCA(t, 0)
	reader := fake.NewClientBuilder().WithObjects(caSecret(pki.SecretData(ca, nil))).Build()
	config, err := Kubeconfig(context.Background(), reader, readyCluster(), Request{TTL: day}, day0)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(config.Clusters[config.CurrentContext].CertificateAuthorityData); got != string(ca.CertPEM) {
		t.Errorf("trusts %q, want the CA's own certificate", got)
	}
}

func TestKubeconfigRefused(t *testing.T) {
	ca := newCA(t, 0)
	whole := caSecret(pki.SecretData(ca, ca.CertPEM))
	valid := Request{TTL: DefaultTTL}
	cases := map[string]struct {
		change func(*v1alpha1.Cluster)
		req    Request
		secret *corev1.Secret
		kind   reconcile.Kind
		reason string
		say    string
	}{
		"NeverReady":     {func(c *v1alpha1.Cluster) { c.Status.ReadySince = nil }, valid, whole, reconcile.KindWait, "ClusterNotReady", "marina cluster wait demo"},
		"NoEndpoint":     {func(c *v1alpha1.Cluster) { c.Status.Endpoint = "" }, valid, whole, reconcile.KindWait, "ClusterNotReady", "marina cluster wait demo"},
		"NoNamespace":    {func(c *v1alpha1.Cluster) { c.Status.Namespace = "" }, valid, whole, reconcile.KindWait, "ClusterNotReady", "marina cluster wait demo"},
		"New":            {func(c *v1alpha1.Cluster) { c.Status = v1alpha1.ClusterStatus{} }, valid, whole, reconcile.KindWait, "ClusterNotReady", "-n team-a"},
		"BeingDeleted":   {func(c *v1alpha1.Cluster) { c.DeletionTimestamp = c.Status.ReadySince }, valid, whole, reconcile.KindUser, "ClusterDeleting", "demo"},
		"NoCA":           {nil, valid, nil, reconcile.KindWait, "CAMissing", "marina-demo-12345678/ca"},
		"ACAWithoutKey":  {nil, valid, caSecret(pki.SecretData(pki.KeyPair{CertPEM: ca.CertPEM}, ca.CertPEM)), reconcile.KindWait, "CAMissing", "marina cluster wait demo"},
		"TooLong":        {nil, Request{TTL: 31 * day}, whole, reconcile.KindUser, "InvalidTTL", "720h"},
		"TooLongAndNew":  {func(c *v1alpha1.Cluster) { c.Status = v1alpha1.ClusterStatus{} }, Request{TTL: 31 * day}, whole, reconcile.KindUser, "InvalidTTL", "720h"},
		"ASystemUser":    {nil, Request{User: "system:admin", TTL: day}, whole, reconcile.KindUser, "InvalidUser", "system:"},
		"ASpoiltCA":      {nil, valid, caSecret(pki.SecretData(pki.KeyPair{CertPEM: []byte("x"), KeyPEM: ca.KeyPEM}, nil)), reconcile.KindUser, "CAUnusable", "platform team"},
		"NoTimeToLive":   {nil, Request{}, whole, reconcile.KindUser, "InvalidTTL", "24h"},
		"ANegativeTime":  {nil, Request{TTL: -1}, whole, reconcile.KindUser, "InvalidTTL", "24h"},
		"AnEmptyCASlot":  {nil, valid, caSecret(nil), reconcile.KindWait, "CAMissing", "platform team"},
		"ASystemGroup":   {nil, Request{Groups: []string{"system:nodes"}, TTL: day}, whole, reconcile.KindUser, "InvalidGroup", "system:"},
		"AnExpiredCAToo": {nil, valid, expiredCA(t), reconcile.KindUser, "CAUnusable", "platform team"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cluster := readyCluster()
			if tc.change != nil {
				tc.change(cluster)
			}
			builder := fake.NewClientBuilder()
			if tc.secret != nil {
				builder = builder.WithObjects(tc.secret)
			}
			config, err := Kubeconfig(context.Background(), builder.Build(), cluster, tc.req, day0)
			wantReason(t, err, tc.kind, tc.reason)
			if !strings.Contains(err.Error(), tc.say) || config != nil {
				t.Errorf("error %q, want one with %q in it", err, tc.say)
			}
		})
	}
}

func expiredCA(t testing.TB) *corev1.Secret {
	t.Helper()
	ca, err := pki.NewCA("demo", day0.Add(-2*day), day)
	if err != nil {
		t.Fatal(err)
	}
	return caSecret(pki.SecretData(ca, ca.CertPEM))
}

// TestKubeconfigUnreadable: what may pass by itself is no fault of the person's.
func TestKubeconfigUnreadable(t *testing.T) {
	down := errors.New("connection refused")
	reader := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		},
	}).Build()
	_, err := Kubeconfig(context.Background(), reader, readyCluster(), Request{TTL: day}, day0)
	if !errors.Is(err, down) || reconcile.As(err).Kind != reconcile.KindRetry {
		t.Errorf("error %v, want the cause, to be tried again", err)
	}
}
