package infrastructure

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func (w *world) preflight(t testing.TB, file string, purpose Purpose) *Report {
	t.Helper()
	credentials, err := openstack.ParseCloudsYAML([]byte(file), v1alpha1.CloudName)
	if err != nil {
		t.Fatal(err)
	}
	report := Preflight(t.Context(), w.reconciler.Pool, &w.infra.Spec, credentials, w.releases, purpose)
	if shown := fmt.Sprintf("%+v", report); strings.Contains(shown, "secret of") {
		t.Errorf("a secret is shown: %s", shown)
	}
	return report
}

// summary is a line for each check, without what was found.
func summary(r *Report) []string {
	var lines []string
	for _, c := range r.Checks {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s: %s %s", c.Name, c.Result, c.Reason)))
	}
	return lines
}

func TestPreflightOfAGoodCloud(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	tenant := w.AddProject("tenant")
	report := w.preflight(t, w.CloudsYAML(tenant), Making)
	want := []string{
		"login: OK", "roles: OK", "catalogue: OK", "microversion: OK", "external network: OK", "releases: OK", "image of 1.37.1-1: OK", "flavor b3-8: OK",
		"load balancers: OK", "volume types: OK", "availability zones: OK",
		"quota instances: OK", "quota cores: OK", "quota memory: OK",
		"quota networks: OK", "quota subnets: OK", "quota routers: OK", "quota ports: OK", "quota security groups: OK", "quota security group rules: OK", "quota floating IPs: OK",
		"quota volumes: OK", "quota volume storage: OK",
	}
	if diff := cmp.Diff(want, summary(report)); diff != "" || report.Failed() {
		t.Errorf("failed: %v (-want +got):\n%s\n%+v", report.Failed(), diff, report)
	}
	if left := w.Leaks(tenant.ID); len(left) > 0 {
		t.Errorf("looking has made %v", left)
	}
}

func TestPreflight(t *testing.T) {
	type prepare func(*world, openstacksim.Project)
	quota := func(service, name string, limit int) prepare {
		return func(w *world, p openstacksim.Project) { w.SetQuota(p.ID, service, name, limit) }
	}
	role := func(name string) prepare {
		return func(w *world, p openstacksim.Project) { w.SetRoles(p, name) }
	}
	forbid := func(paths ...string) prepare {
		return func(w *world, _ openstacksim.Project) {
			for _, path := range paths {
				w.Inject(front.Fault{Match: front.Match{Path: path}, Effect: front.Fail(403)})
			}
		}
	}
	for name, test := range map[string]struct {
		prepare prepare
		purpose Purpose
		// want is a check with what was found, and do a part of what to do.
		want, do string
	}{
		"a project without cores": {
			quota("compute", "cores", 1), Making,
			"quota cores: Failed QuotaExceeded: 1 of 1 are free", "raise the quota: a cluster with one node takes 2",
		},
		"a project without memory": {
			quota("compute", "ram", 8000), Making,
			"quota memory: Failed QuotaExceeded: 8000 of 8000 MiB are free", "takes 8192 MiB",
		},
		"a platform's project without cores": {
			quota("compute", "cores", 1), Looking,
			"quota cores: Warning QuotaExceeded: 1 of 1 are free", "raise the quota",
		},
		"no limit": {
			quota("compute", "instances", -1), Making,
			"quota instances: OK : no limit, 0 used", "",
		},
		"networks that are used up": {
			func(w *world, p openstacksim.Project) {
				w.SetQuota(p.ID, "network", "network", 1)
				w.AddNetwork(p.ID, "lan", "10.0.0.0/24")
			}, Making,
			"quota networks: Failed QuotaExceeded: 0 of 1 are free", "takes 1",
		},
		"no rules of security groups": {
			quota("network", "security_group_rule", 5), Making,
			"quota security group rules: Failed QuotaExceeded: 1 of 5 are free", "takes 10",
		},
		"no floating IPs": {
			quota("network", "floatingip", 0), Making,
			"quota floating IPs: Warning QuotaExceeded: 0 of 0 are free", "if it uses them",
		},
		"no storage": {
			quota("block-storage", "gigabytes", 10), Making,
			"quota volume storage: Warning QuotaExceeded: 10 of 10 GiB are free", "takes 20 GiB",
		},
		"no Octavia": {
			func(w *world, _ openstacksim.Project) { w.HideServices("load-balancer") }, Making,
			"load balancers: Warning EndpointNotFound: the catalogue has no load-balancer (Octavia)", "Services of the type LoadBalancer get no address",
		},
		"a reader": {
			role("reader"), Making,
			"roles: Warning RoleMissing: reader", "give the credentials the role member",
		},
		"a reader that only looks": {
			role("reader"), Looking,
			"roles: OK : reader", "",
		},
		"an administrator": {
			role("admin"), Looking,
			"roles: Warning TooManyRights: admin", "reader is enough",
		},
		"what the controller finds": {
			func(w *world, _ openstacksim.Project) { w.RemoveImage(w.image) }, Making,
			`image of 1.37.1-1: Failed ImageNotFound: there is no image "node-1.37.1" that the credentials may see`, "upload it",
		},
		"a wrong password": {
			func(w *world, p openstacksim.Project) { w.SetPassword(p, "another") }, Making,
			"login: Failed Unauthorized: identity: The request you have made requires authentication. (HTTP 401)", "replace the credentials",
		},
		"a cloud that fails": {
			func(w *world, _ openstacksim.Project) {
				w.Inject(front.Fault{Match: front.Match{Service: "network"}, Effect: front.Fail(500)})
			}, Making,
			"cloud: Failed Unavailable: network: ", "run this again when the cloud answers",
		},
		"a service that refuses to tell": {
			forbid("/lbaas/providers"), Making,
			"load balancers: Warning Forbidden: ", "may get no address",
		},
		"quotas that nobody may see": {
			forbid("/quotas/{project}/details", "/quotas/{project}/details.json"), Making,
			"quotas: Warning Forbidden: ", "whether nodes can be made shows when they are",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openstacksim.Options{})
			tenant := w.AddProject("tenant")
			test.prepare(w, tenant)
			report := w.preflight(t, w.CloudsYAML(tenant), test.purpose)
			at := slices.IndexFunc(report.Checks, func(c Check) bool {
				return strings.HasPrefix(fmt.Sprintf("%s: %s %s: %s", c.Name, c.Result, c.Reason, c.Found), test.want)
			})
			if at < 0 {
				t.Fatalf("no check is %q: %+v", test.want, report.Checks)
			}
			if do := report.Checks[at].Do; !strings.Contains(do, test.do) || (do == "") != (test.do == "") {
				t.Errorf("it says to do %q, want %q", do, test.do)
			}
			if want := strings.Contains(test.want, ": Failed "); report.Failed() != want {
				t.Errorf("failed: %v, want %v: %v", report.Failed(), want, summary(report))
			}
		})
	}
}

func TestPreflightOfVolumesElsewhere(t *testing.T) {
	w := newWorld(t, openstacksim.Options{Zones: []string{"a", "b"}})
	w.SetHosts([]string{"a", "c"}, 1)
	report := w.preflight(t, w.CloudsYAML(w.project), Looking)
	want := Check{
		Name: "availability zones", Result: Warning, Reason: "ZonesDiffer", Found: "servers a, c; volumes a, b",
		Do: "volumes have no zone c: they are attached across zones, if the cloud allows that",
	}
	if !slices.Contains(report.Checks, want) {
		t.Errorf("%+v, want %+v", report.Checks, want)
	}
}

func TestPreflightInTime(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	w.reconciler.Pool.Timeout = 200 * time.Millisecond
	w.Inject(front.Fault{Effect: front.Hang()})
	report := w.preflight(t, w.CloudsYAML(w.project), Looking)
	if diff := cmp.Diff([]string{"cloud: Failed Unavailable"}, summary(report)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
