package kubeconfigs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// place is a home directory, a management cluster with a cluster "demo" that is
// ready, and where its kubeconfig is.
type place struct {
	home     string
	location session.Location
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{home: t.TempDir()}
	t.Setenv("HOME", p.home)
	for _, name := range []string{"KUBECONFIG", session.EnvKubeconfig, session.EnvDataDir, "XDG_DATA_HOME"} {
		t.Setenv(name, "")
	}
	return p
}

func (p *place) run(t testing.TB, args ...string) (out, errOut string, err error) {
	t.Helper()
	ca, err := pki.NewCA("demo", time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	c := fake.NewClientBuilder().WithScheme(session.Scheme).WithObjects(
		&v1alpha1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo"},
			Status:     v1alpha1.ClusterStatus{ReadySince: &now, Namespace: "marina-demo", Endpoint: "https://10.0.0.1:6443"},
		},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "marina-demo", Name: v1alpha1.SecretCA},
			Data:       pki.SecretData(ca, ca.CertPEM),
		},
	).Build()
	cmd := NewGet(clitest.Open(&session.Session{Client: c, Namespace: "default", Location: p.location, Context: "management"}))
	cmd.Flags().String("context", "", "") // a global flag
	return clitest.Execute(t.Context(), cmd, append([]string{"demo"}, args...)...)
}

func TestGetMergesIntoTheUsersFile(t *testing.T) {
	p := newPlace(t)
	path := filepath.Join(p.home, ".kube", "config")
	out, errOut, err := p.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if out != "" {
		t.Errorf("standard output is for -o - only, got %q", out)
	}
	lines := strings.Split(errOut, "\n")
	want := `Wrote context "marina/default/demo" to ` + path + " and made it the current one"
	if lines[0] != want {
		t.Errorf("reported %q, want %q", lines[0], want)
	}
	if !strings.HasPrefix(lines[1], `For user "admin" in marina:cluster-admins, until `) || !strings.HasSuffix(lines[1], "(1d)") {
		t.Errorf("reported %q, want the user, the groups and the end", lines[1])
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if config.CurrentContext != "marina/default/demo" || config.Clusters["marina/default/demo"].Server != "https://10.0.0.1:6443" {
		t.Errorf("current context %q, server %v", config.CurrentContext, config.Clusters)
	}

	if _, _, err := p.run(t, "--set-current=false", "-o", filepath.Join(p.home, "other"), "--user", "jane", "--group", "dev,ops", "--ttl", "3d"); err != nil {
		t.Fatal(err)
	}
	config, err = clientcmd.LoadFromFile(filepath.Join(p.home, "other"))
	if err != nil {
		t.Fatal(err)
	}
	if config.CurrentContext != "" {
		t.Errorf("--set-current=false made %q the current context", config.CurrentContext)
	}
	cert, err := pki.KeyPair{CertPEM: config.AuthInfos["marina/default/demo"].ClientCertificateData}.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != "jane" || !cmp.Equal(cert.Subject.Organization, []string{"dev", "ops"}) {
		t.Errorf("the certificate is for %s", cert.Subject)
	}
}

func TestGetToStandardOutput(t *testing.T) {
	p := newPlace(t)
	out, errOut, err := p.run(t, "-o", "-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientcmd.Load([]byte(out)); err != nil {
		t.Errorf("standard output is no kubeconfig: %v", err)
	}
	if !strings.Contains(errOut, "until ") {
		t.Errorf("standard error does not tell the end: %q", errOut)
	}
	if _, err := os.Stat(filepath.Join(p.home, ".kube")); err == nil {
		t.Error("wrote to the home directory too")
	}
}

func TestGetRefusesTooLong(t *testing.T) {
	p := newPlace(t)
	_, _, err := p.run(t, "--ttl", "31d")
	e := failure.Explain(err)
	if e.Exit != failure.ExitUsage || !strings.Contains(e.Message, "720h (30 days)") {
		t.Errorf("got %q with exit code %d, want the words of package access as a mistake of usage", e.Message, e.Exit)
	}
	if _, _, err := p.run(t, "--ttl", "30d"); err != nil {
		t.Errorf("30 days are refused: %v", err)
	}
}

func TestGetWarnsOfItself(t *testing.T) {
	p := newPlace(t)
	p.location = session.Location{Paths: []string{filepath.Join(p.home, ".kube", "config")}}
	const note = `marina itself used the current context of this file, "management"`
	for args, want := range map[string]bool{
		"":                     true,
		"--set-current=false":  false,
		"--context=management": false,
		"--output=" + filepath.Join(p.home, "other"): false,
	} {
		_, errOut, err := p.run(t, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(errOut, note) != want {
			t.Errorf("with %q: %q; want a note: %v", args, errOut, want)
		}
	}
}

func TestTarget(t *testing.T) {
	p := newPlace(t)
	ofUp := filepath.Join(p.home, ".local", "share", "marina", "kubeconfig")
	byDefault := filepath.Join(p.home, ".kube", "config")
	cases := map[string]struct {
		output, env string
		want        target
		refused     bool
	}{
		"ByDefault":                   {want: target{path: byDefault}},
		"TheFirstOfTheVariable":       {env: "/a:/b", want: target{path: "/a"}},
		"TheOption":                   {output: "x", env: "/a", want: target{path: "x"}},
		"NeverTheManagementClusters":  {env: ofUp, want: target{path: byDefault, instead: true}},
		"TheNextInItsPlace":           {env: ofUp + ":/b", want: target{path: "/b"}},
		"NotEvenIfAskedFor":           {output: ofUp, refused: true},
		"NotEvenIfWrittenDifferently": {output: filepath.Dir(ofUp) + "/./kubeconfig", refused: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := &getOptions{output: tc.output}
			got, err := o.target(func(name string) string {
				return map[string]string{"KUBECONFIG": tc.env}[name]
			})
			if (err != nil) != tc.refused {
				t.Fatalf("err = %v", err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(target{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
