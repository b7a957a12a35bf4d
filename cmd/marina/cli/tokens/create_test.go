package tokens

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/controlplane/join"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// tenantServer is the API server of a cluster: it takes Secrets from administrators.
type tenantServer struct {
	*httptest.Server
	ca      pki.KeyPair
	secrets []corev1.Secret
	// broken is true when it is there and does not reach its etcd.
	broken bool
}

func newTenantServer(t testing.TB) *tenantServer {
	t.Helper()
	now := time.Now()
	ca, err := pki.NewCA("demo", now, 0)
	if err != nil {
		t.Fatal(err)
	}
	serving, err := ca.Issue(pki.Request{CommonName: "kube-apiserver", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Usage: pki.ServerAuth}, now)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(serving.CertPEM, serving.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CertPEM)
	s := &tenantServer{ca: ca}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *tenantServer) serve(w http.ResponseWriter, r *http.Request) {
	if s.broken {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	who := r.TLS.PeerCertificates[0].Subject.Organization
	body, _ := io.ReadAll(r.Body)
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	secret, ok := object.(*corev1.Secret)
	if r.Method != http.MethodPost || r.URL.Path != "/api/v1/namespaces/kube-system/secrets" ||
		len(who) != 1 || who[0] != v1alpha1.GroupClusterAdmins || err != nil || !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	s.secrets = append(s.secrets, *secret)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(secret)
}

// run runs 'marina token create demo' with a management cluster that knows the
// tenant.
func (s *tenantServer) run(t testing.TB, args ...string) (out, errOut string, err error) {
	t.Helper()
	now := metav1.Now()
	c := fake.NewClientBuilder().WithScheme(session.Scheme).WithObjects(
		&v1alpha1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo"},
			Status:     v1alpha1.ClusterStatus{ReadySince: &now, Namespace: "marina-demo", Endpoint: s.URL},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "marina-demo", Name: v1alpha1.SecretCA},
			Data:       pki.SecretData(s.ca, s.ca.CertPEM),
		},
	).Build()
	cmd := NewCreate(clitest.Open(&session.Session{Client: c, Config: &rest.Config{}, Namespace: "default"}))
	return clitest.Execute(t.Context(), cmd, append([]string{"demo"}, args...)...)
}

func TestBootstrapKubeconfig(t *testing.T) {
	s := newTenantServer(t)
	out, errOut, err := s.run(t, "--node", "worker-1")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load([]byte(out))
	if err != nil {
		t.Fatalf("standard output is no kubeconfig: %v", err)
	}
	current := config.Contexts[config.CurrentContext]
	if got := config.Clusters[current.Cluster]; got.Server != s.URL || !bytes.Equal(got.CertificateAuthorityData, s.ca.CertPEM) {
		t.Errorf("it leads to %s", got.Server)
	}
	if len(s.secrets) != 1 {
		t.Fatalf("%d tokens were written, want 1", len(s.secrets))
	}
	secret := s.secrets[0]
	value := string(secret.Data["token-id"]) + "." + string(secret.Data["token-secret"])
	if got := config.AuthInfos[current.AuthInfo].Token; got != value {
		t.Error("the kubeconfig holds another token than the one that was written")
	}
	if got := secret.Annotations[v1alpha1.AnnotationNodeName]; got != "worker-1" {
		t.Errorf("the token is for node %q, want worker-1", got)
	}
	if !strings.Contains(errOut, `for node "worker-1" only`) || !strings.HasSuffix(errOut, "(30m)\n") {
		t.Errorf("reported %q, want the node and the end", errOut)
	}
	if strings.Contains(errOut, string(secret.Data["token-secret"])) {
		t.Error("the secret does not belong on standard error, which ends in logs")
	}
}

func TestOtherFormats(t *testing.T) {
	s := newTenantServer(t)
	hash, err := join.CACertHash(s.ca.CertPEM)
	if err != nil {
		t.Fatal(err)
	}
	host := regexp.QuoteMeta(strings.TrimPrefix(s.URL, "https://"))
	const token = `[a-z0-9]{6}\.[a-z0-9]{16}`
	for args, want := range map[string]string{
		"-o token":                 token,
		"-o join-command":          `kubeadm join ` + host + ` --token ` + token + ` --discovery-token-ca-cert-hash ` + hash,
		"-o join-command --node=w": `kubeadm join ` + host + ` --token ` + token + ` --discovery-token-ca-cert-hash ` + hash + ` --node-name w`,
	} {
		out, _, err := s.run(t, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile("^" + want + "\n$").MatchString(out) {
			t.Errorf("%s printed %q, want %s", args, out, want)
		}
	}
}

func TestUnreachableTenant(t *testing.T) {
	for name, harm := range map[string]func(*tenantServer){
		"ItIsGone":          func(s *tenantServer) { s.Close() },
		"ItHasLostItsStore": func(s *tenantServer) { s.broken = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newTenantServer(t)
			harm(s)
			_, _, err := s.run(t)
			e := failure.Explain(err)
			if !strings.HasPrefix(e.Message, `the API server of cluster "demo" does not answer at `+s.URL) || !strings.Contains(e.Do, "marina cluster wait demo") {
				t.Errorf("got %q, to do %q: it must be clear which of the two servers is meant", e.Message, e.Do)
			}
		})
	}
}
