package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

const sample = `
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: a, cluster: {server: "https://a:1"}}, {name: b, cluster: {server: "https://b:2"}}]
users: [{name: u, user: {token: t}}]
contexts:
- {name: one, context: {cluster: a, user: u}}
- {name: two, context: {cluster: b, user: u, namespace: project}}
`

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "config"), filepath.Join(dir, "empty")
	for path, content := range map[string]string{file: sample, empty: ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", dir)
	for _, name := range []string{EnvKubeconfig, EnvDataDir, "XDG_DATA_HOME", "KUBECONFIG"} {
		t.Setenv(name, "")
	}

	cases := map[string]struct {
		args              string
		dataDir           string
		server, namespace string
		problem           string
	}{
		"TheCurrentContext":      {args: "--kubeconfig " + file, server: "https://a:1", namespace: "default"},
		"AnotherContext":         {args: "--context two --kubeconfig " + file, server: "https://b:2", namespace: "project"},
		"TheFlagBeatsTheContext": {args: "--context two -n mine --kubeconfig " + file, server: "https://b:2", namespace: "mine"},
		"AContextThatIsNotThere": {args: "--context three --kubeconfig " + file, problem: `context "three" of`},
		"AFileThatIsNotThere":    {args: "--kubeconfig " + dir + "/nope", problem: "there is no file " + dir + "/nope (from --kubeconfig)"},
		"AFileWithoutClusters":   {args: "--kubeconfig " + empty, problem: "no management cluster is known"},
		"NothingConfiguredAtAll": {problem: "no management cluster is known: there is none in " + dir + "/.kube/config"},
		"ADataFolderWithNothingInIt": {dataDir: dir, problem: "no management cluster is known: there is none in the folder " + dir +
			" (from $MARINA_DATA_DIR), nor in " + dir + "/.kube/config"},
		"ADataFolderDoesNotMatterIfAFileIsNamed": {dataDir: dir, args: "--kubeconfig " + empty,
			problem: "no management cluster is known: there is none in " + empty + " (from --kubeconfig)"},
		"AFileThatIsNoKubeconfig": {args: "--kubeconfig " + dir, problem: "is a directory"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv(EnvDataDir, tc.dataDir)
			flags := &Flags{}
			set := pflag.NewFlagSet("test", pflag.ContinueOnError)
			flags.AddTo(set)
			if err := set.Parse(strings.Fields(tc.args)); err != nil {
				t.Fatal(err)
			}
			s, err := flags.Open(&cobra.Command{})
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Fatalf("got %v, want an error with %q", err, tc.problem)
				}
				if failure.Explain(err).Do == "" {
					t.Errorf("%q does not say what to do", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Config.Host != tc.server || s.Namespace != tc.namespace {
				t.Errorf("got %s in %s, want %s in %s", s.Config.Host, s.Namespace, tc.server, tc.namespace)
			}
		})
	}
}

// The build number is a number, not a text: -10 is newer than -9.
func TestNewestVersion(t *testing.T) {
	builder := fake.NewClientBuilder().WithScheme(Scheme)
	for _, name := range []string{"1.36.4-10", "1.36.4-9", "1.37.0-9", "1.37.0-10"} {
		builder.WithObjects(&v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	if got, err := NewestVersion(t.Context(), builder.Build()); err != nil || got != "1.37.0-10" {
		t.Errorf("newest is %q, %v; want 1.37.0-10", got, err)
	}
	none := fake.NewClientBuilder().WithScheme(Scheme).Build()
	if got, err := NewestVersion(t.Context(), none); err == nil || failure.Explain(err).Do == "" {
		t.Errorf("of no releases the newest is %q, %v; want an error that says what to do", got, err)
	}
}
