package clusters

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Without a version it says which ones there are. Scripts get nothing but the table.
func TestUpgradeWithoutAVersion(t *testing.T) {
	const head = "VERSION     KUBERNETES   STEP\n"
	const all = head + "1.36.5-1    v1.36.5      patch\n1.36.5-9    v1.36.5      patch\n1.36.5-10   v1.36.5      patch\n1.37.1-1    v1.37.1      minor\n"
	for name, tc := range map[string]struct {
		infrastructure string
		spec           string
		state          func(*v1alpha1.ClusterStatus)
		out            string
		errOut         string
		problem        string
	}{
		"AllThatThereAre":  {spec: "1.36.4-1", out: all},
		"ThoseOfItsRegion": {infrastructure: "paris", spec: "1.36.4-1", out: "VERSION    KUBERNETES   STEP\n1.36.5-1   v1.36.5      patch\n"},
		"None": {
			spec: "1.38.0-1", state: func(s *v1alpha1.ClusterStatus) { s.Version = "1.38.0-1" },
			errOut: "No upgrades found: cluster \"demo\" runs 1.38.0-1, and nothing that it may go to is offered\n",
		},
		"NotNow": {
			spec: "1.36.4-1", state: phase(v1alpha1.ClusterDegraded, "etcd is away"), out: all,
			errOut: "Not now: cluster \"demo\" is Degraded, and only one that is Active can be upgraded: etcd is away\n" +
				"What to do: correct the cause; 'marina cluster get demo -n NAMESPACE -o yaml' shows all conditions\n",
		},
		"OneIsOnItsWay": {
			spec: "1.37.1-1", state: phase(v1alpha1.ClusterUpgrading, ""),
			errOut: "Not now: cluster \"demo\" is being upgraded from 1.36.4-1 to 1.37.1-1 already\n" + waits + goBack + "\n",
		},
		"NotKnownYet": {
			spec: "1.36.4-1", state: func(s *v1alpha1.ClusterStatus) { s.Version = "" },
			problem: "Error: cluster \"demo\" does not tell yet which version it runs\nWhat to do: wait until it is ready ('marina cluster wait demo -n NAMESPACE')\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t, tc.spec, tc.infrastructure)
			if tc.state != nil {
				if err := p.reports(t, tc.state)(p); err != nil {
					t.Fatal(err)
				}
			}
			before := p.demo(t).ResourceVersion
			out, errOut, err := p.run(t, p, nil, "upgrade", "demo")
			named := func(text string) string { return strings.ReplaceAll(text, p.namespace, "NAMESPACE") }
			if diff := cmp.Diff([]string{tc.out, tc.errOut, tc.problem}, []string{out, named(errOut), named(clitest.Explained(err))}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if p.demo(t).ResourceVersion != before {
				t.Error("who only looks has changed it")
			}
		})
	}
}
