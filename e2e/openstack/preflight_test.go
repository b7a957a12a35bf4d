package openstack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/marina-dev/marina/dataplane/infrastructure"
	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/harness"
)

// TestPreflight is 'marina infrastructure check': what it says of the cloud is so, and it says who
// may not make nodes in it.
func TestPreflight(t *testing.T) {
	w := newWorld(t)
	s := w.stepped()
	p := s.pool("web", 1, nodesWithAll)
	s.until("a node", s.settled(p, 1))
	before := len(w.wire.changes())
	preflight := func(a account, purpose infrastructure.Purpose) map[string]infrastructure.Check {
		t.Helper()
		report := infrastructure.Preflight(t.Context(), &openstack.Pool{Wrap: w.wire.wrap}, &w.infra.Spec, w.credentials(t, a), []string{harness.Release}, purpose)
		checks := map[string]infrastructure.Check{}
		for _, c := range report.Checks {
			checks[c.Name] = c
			w.hides(fmt.Sprintf("%+v", c))
			t.Logf("%-24s %-8s %s", c.Name, c.Result, c.Found)
		}
		return checks
	}
	checks := preflight(w.member, infrastructure.Making)
	for name, c := range checks {
		if c.Result != infrastructure.OK {
			t.Errorf("%s: %+v, want that all is well", name, c)
		}
	}
	units := map[string]string{"memory": " MiB", "volume storage": " GiB"}
	for name, a := range w.usage(t) {
		unit := units[name]
		want := fmt.Sprintf("%d of %d%s are free", max(a.Limit-a.Used, 0), a.Limit, unit)
		if a.Limit < 0 {
			want = fmt.Sprintf("no limit, %d%s used", a.Used, unit)
		}
		if c := checks["quota "+name]; c.Found != want {
			t.Errorf("quota %s: %q, and the service says %q", name, c.Found, want)
		}
	}

	reader := w.reader(t)
	checks = preflight(reader, infrastructure.Making)
	if c := checks["roles"]; c.Result != infrastructure.Warning || c.Reason != "RoleMissing" || !strings.Contains(c.Found, "reader") {
		t.Errorf("roles of a reader who is to make nodes: %+v", c)
	}
	for name, c := range preflight(reader, infrastructure.Looking) {
		if c.Result == infrastructure.Failed {
			t.Errorf("%s, with the role of a reader, which is enough to look: %+v", name, c)
		}
	}
	if made := w.wire.changes(); len(made) != before {
		t.Errorf("a look changes something: %v", made[before:])
	}
	w.setQuota(t, openstack.Compute, "instances", 1)
	if c := preflight(w.member, infrastructure.Making)["quota instances"]; c.Result != infrastructure.Failed || c.Found != "0 of 1 are free" {
		t.Errorf("where no server can be made it says %+v", c)
	}
}
