package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/marina-dev/marina/pkg/kubeconfig"
)

func newClient(config *rest.Config) kubernetes.Interface { return kubernetes.NewForConfigOrDie(config) }

func TestKubeconfigLifetime(t *testing.T) {
	cases := map[string]struct {
		args []string
		want time.Duration
	}{
		"a day unless asked otherwise": {nil, 24 * time.Hour},
		"as asked":                     {[]string{"--ttl", "1h"}, time.Hour},
		"at most thirty days":          {[]string{"--ttl", "30d"}, 30 * 24 * time.Hour},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := shared.CLI(t.Context(), append([]string{"kubeconfig", "get", "new", "-o", "-"}, tc.args...)...)
			check(t, err)
			config, err := clientcmd.Load([]byte(out))
			check(t, err)
			end, err := kubeconfig.NotAfter(config)
			check(t, err)
			if got := time.Until(end); got > tc.want || got < tc.want-time.Minute {
				t.Errorf("valid for %s, want %s", got, tc.want)
			}
		})
	}
	for ttl, words := range map[string]string{"31d": "30", "0s": "ttl", "-1h": "ttl"} {
		t.Run("refused: "+ttl, func(t *testing.T) {
			out, err := shared.CLI(t.Context(), "kubeconfig", "get", "new", "-o", "-", "--ttl="+ttl)
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), words) {
				t.Errorf("--ttl=%s: %v, want a refusal that says %q", ttl, err, words)
			}
			if out != "" {
				t.Errorf("--ttl=%s printed a kubeconfig although it was refused", ttl)
			}
		})
	}
}

func TestKubeconfigUserAndGroups(t *testing.T) {
	c, _ := tenant(t, shared, "new", "--user", "alice", "--group", "shop:viewers")
	review, err := c.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authv1.SelfSubjectReview{}, metav1.CreateOptions{})
	check(t, err)
	user := review.Status.UserInfo
	if user.Username != "alice" || !strings.Contains(strings.Join(user.Groups, " "), "shop:viewers") {
		t.Errorf("the API server sees %q in %v, want alice in shop:viewers", user.Username, user.Groups)
	}
	if _, err := c.CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a user without rights lists Secrets: %v, want forbidden", err)
	}
}

func TestKubeconfigIsMergedIntoTheUsersOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "config")
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	const own = `apiVersion: v1
kind: Config
current-context: mine
contexts: [{name: mine, context: {cluster: mine, user: mine}}]
clusters: [{name: mine, cluster: {server: "https://mine.example"}}]
users: [{name: mine, user: {token: secret}}]
`
	check(t, os.WriteFile(path, []byte(own), 0o600))
	t.Setenv("KUBECONFIG", path)
	for range 2 {
		_, err := shared.CLI(t.Context(), "kubeconfig", "get", "old")
		check(t, err)
	}
	config, err := clientcmd.LoadFromFile(path)
	check(t, err)
	if config.Contexts["mine"] == nil || config.AuthInfos["mine"].Token != "secret" {
		t.Error("the user's own entries are gone")
	}
	if want := kubeconfig.ContextName("default", "old"); config.CurrentContext != want || len(config.Contexts) != 2 {
		t.Errorf("current context %q of %d, want %q of 2", config.CurrentContext, len(config.Contexts), want)
	}
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", info.Mode().Perm())
	}
}
