package infrastructures

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/dataplane/infrastructure"
	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// world is a cloud, and a management cluster with an Infrastructure in it.
type world struct {
	*openstacksim.Simulator
	tenant openstacksim.Project
	api    *clitest.API
}

func newWorld(t testing.TB) *world {
	t.Helper()
	cloud, err := openstacksim.Start(openstacksim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	w := &world{Simulator: cloud, tenant: cloud.AddProject("tenant")}
	cloud.AddFlavor("b3-8", 2, 8192, 50)
	cloud.AddImage("node", nil)
	cloud.AddExternalNetwork("public", "203.0.113.0/24")
	cloud.AddVolumeType("ssd")
	secret := func(namespace, name, file string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string][]byte{"clouds.yaml": []byte(file)}}
	}
	w.api = clitest.NewAPI(t, []client.Object{
		&v1alpha1.Infrastructure{
			ObjectMeta: metav1.ObjectMeta{Name: "paris"},
			Spec: v1alpha1.InfrastructureSpec{
				AuthURL: cloud.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: "paris"}, ExternalNetwork: "public",
				Releases: []v1alpha1.InfrastructureRelease{{Release: "1.37.1-1", Image: "node"}}, Flavors: []string{"b3-8"},
			},
		},
		&v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: "1.37.1-1"}},
		secret("marina-system", "paris", cloud.CloudsYAML(cloud.AddProject("platform", "reader"))),
		secret("team-a", "openstack", cloud.CloudsYAML(w.tenant)),
		secret("team-a", "broken", "clouds: {}"),
		secret("team-a", "empty", ""),
	})
	return w
}

func (w *world) run(t testing.TB, args ...string) (out string, err error) {
	t.Helper()
	commands := func(open session.Opener) []*cobra.Command {
		pool := &openstack.Pool{Wait: func(context.Context, time.Duration) error { return nil }}
		return []*cobra.Command{newList(open, clock.RealClock{}), newCheck(open, pool)}
	}
	out, _, err = clitest.Run(t, t.Context(), w.api, commands, append([]string{"check"}, args...)...)
	return out, err
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "clouds.yaml")
	if err := os.WriteFile(file, []byte(w.CloudsYAML(w.tenant)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"the platform's":  {"paris"},
		"a project's":     {"paris", "--credentials", "team-a/openstack"},
		"those of a file": {"paris", "--clouds-yaml", file},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := w.run(t, args...)
			if err != nil {
				t.Errorf("%s\n%s", clitest.Explained(err), out)
			}
			lines := strings.Split(out, "\n")
			if diff := cmp.Diff([]string{"CHECK", "RESULT", "FOUND"}, strings.Fields(lines[0])); diff != "" || strings.Contains(out, "What to do") {
				t.Errorf("%s", out)
			}
			into := "into the project tenant ("
			if len(args) == 1 {
				into = "into the project platform ("
			}
			if !strings.Contains(lines[1], into) {
				t.Errorf("%q, want %q", lines[1], into)
			}
		})
	}
}

func TestCheckThatFails(t *testing.T) {
	w := newWorld(t)
	w.SetQuota(w.tenant.ID, "compute", "instances", 0)
	w.HideServices("load-balancer")
	out, err := w.run(t, "paris", "--credentials", "team-a/openstack")
	if diff := cmp.Diff("Error: 1 of 23 checks have failed\nWhat to do: correct what has failed, and check again\n", clitest.Explained(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if code := failure.Print(&strings.Builder{}, err); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	_, todo, _ := strings.Cut(out, "\nWhat to do:\n")
	want := "  load balancers: Services of the type LoadBalancer get no address without it\n" +
		"  quota instances: raise the quota: a cluster with one node takes 1\n"
	if diff := cmp.Diff(want, todo); diff != "" {
		t.Errorf("what to do (-want +got):\n%s", diff)
	}
	for _, format := range []string{"json", "yaml"} {
		out, err := w.run(t, "paris", "--credentials", "team-a/openstack", "-o", format)
		if err == nil {
			t.Errorf("-o %s hides that a check has failed", format)
		}
		if format == "json" {
			var report infrastructure.Report
			if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Checks) != 23 || !report.Failed() {
				t.Errorf("%v: %s", err, out)
			}
		} else if !strings.HasPrefix(out, "checks:\n- found: ") {
			t.Errorf("-o yaml: %s", out)
		}
	}
}

func TestCheckThatCannotBegin(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		args []string
		want string
		code int
	}{
		"no infrastructure": {[]string{"rome"}, `no infrastructure "rome"`, 1},
		"no secret":         {[]string{"paris", "--credentials", "team-a/none"}, `no secret "none" in namespace "team-a"`, 1},
		"no clouds.yaml":    {[]string{"paris", "--credentials", "team-a/empty"}, "secret team-a/empty has no clouds.yaml", 1},
		"no cloud":          {[]string{"paris", "--credentials", "team-a/broken"}, `team-a/broken, clouds.yaml: it has no cloud "openstack"`, 1},
		"no file":           {[]string{"paris", "--clouds-yaml", "/does/not/exist"}, "no such file", 1},
		"both":              {[]string{"paris", "--clouds-yaml", "a", "--credentials", "b/c"}, "exclude each other", 2},
		"half a secret":     {[]string{"paris", "--credentials", "openstack"}, "is not written as NAMESPACE/SECRET", 2},
		"a format":          {[]string{"paris", "-o", "wide"}, `unknown format "wide"`, 2},
		"no time":           {[]string{"paris", "--timeout", "0s"}, "--timeout must be more than nothing", 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.run(t, test.args...)
			var shown strings.Builder
			if code := failure.Print(&shown, err); code != test.code || !strings.Contains(shown.String(), test.want) {
				t.Errorf("exit code %d: %s; want %d: %s", code, shown.String(), test.code, test.want)
			}
		})
	}
}
