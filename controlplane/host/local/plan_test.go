package local

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local/readyz"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// planned computes the plan of a component at made-up addresses.
func (f *fixture) planned(t testing.TB, c component.Component) *plan {
	t.Helper()
	p, err := f.tryPlan(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *fixture) tryPlan(c component.Component) (*plan, error) {
	a := component.Addresses{Exposed: map[string]component.HostPort{"https": {Host: "127.0.0.1", Port: 1}, "nope": {}}}
	for i := range c.Replicas {
		ports := map[string]component.HostPort{}
		for j, p := range c.Ports {
			ports[p.Name] = component.HostPort{Host: "127.0.0.1", Port: 10*(i+1) + j}
		}
		a.Replicas = append(a.Replicas, ports)
	}
	return planner{dir: "/state", address: "127.0.0.1", programs: programs{dir: f.bin, self: "/bin/marina"}}.plan(c, a, fileSet{})
}

func TestPlan(t *testing.T) {
	f := newFixture(t)
	c := f.component(2)
	c.Data, c.Balanced, c.Grace = true, []component.Balanced{{Port: "https"}}, 70*time.Second
	c.Main.Args = []string{"--listen=$(ADDRESS):$(PORT_https)", "--data=$(DATA)", "--cert=$(FILES)/tls.crt"}
	c.Main.BeginArgs = []string{"--join=$(HOST)"}
	c.Main.Env = map[string]string{"NAME": "$(REPLICA)", "A": "b"}
	c.Sidecars = []component.Process{f.sidecar("side")}
	c.Readiness.Plain = true
	p := f.planned(t, c)

	r := p.replicas[1]
	var names []string
	for _, process := range r.processes {
		names = append(names, process.label)
	}
	if want := []string{"kube-apiserver-1/side", "kube-apiserver-1"}; !slices.Equal(names, want) {
		t.Errorf("processes %q, want %q", names, want)
	}
	const dir = "/state/marina-test-0000/kube-apiserver/kube-apiserver-1"
	main := r.processes[1]
	wantArgs := []string{"--listen=127.0.0.1:20", "--data=" + dir + "/data", "--cert=" + dir + "/files/tls.crt", "--join=127.0.0.1"}
	if diff := cmp.Diff(wantArgs, main.args); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A=b", "NAME=kube-apiserver-1"}, main.env); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	if main.path != filepath.Join(f.bin, "kubernetes", "v0.0.0", "kube-apiserver") || main.grace != 70*time.Second || main.order != 1 {
		t.Errorf("main %+v: want the binary of its version, the grace and its place in the order", main)
	}
	wantProbe := &readyz.Target{Address: "127.0.0.1:20", Path: "/readyz", Plain: true, Timeout: time.Second}
	if diff := cmp.Diff(wantProbe, r.probe); diff != "" {
		t.Errorf("probe (-want +got):\n%s", diff)
	}
	wantBalancer := []string{"balancer", "--listen=127.0.0.1:1", "--backend=127.0.0.1:10", "--backend=127.0.0.1:20", "--ready-path=/readyz"}
	if diff := cmp.Diff(wantBalancer, p.balancer.args); diff != "" || p.balancer.path != "/bin/marina" {
		t.Errorf("balancer %s (-want +got):\n%s", p.balancer.path, diff)
	}
}

func TestWhatARestartIsFor(t *testing.T) {
	f := newFixture(t)
	base := func() component.Component {
		c := f.component(1)
		c.Data, c.Balanced = true, []component.Balanced{{Port: "https"}}
		c.Main.Env = map[string]string{"A": "1", "B": "2"}
		c.Sidecars = []component.Process{f.sidecar("side")}
		c.Mounts = []component.Mount{{Path: "reloaded", Secret: "r"}, {Path: "fixed", Secret: "f-1", Hash: "1"}}
		return c
	}
	cases := map[string]struct {
		change  func(*component.Component)
		restart bool
	}{
		"Nothing":             {func(*component.Component) {}, false},
		"AnArgument":          {func(c *component.Component) { c.Main.Args = append(c.Main.Args, "--v=2") }, true},
		"ABeginArgument":      {func(c *component.Component) { c.Main.BeginArgs = []string{"--state=existing"} }, false},
		"WhoIsRolledLast":     {func(c *component.Component) { c.RollLast = []int{0} }, false},
		"AVariable":           {func(c *component.Component) { c.Main.Env["A"] = "2" }, true},
		"ASidecarsArgument":   {func(c *component.Component) { c.Sidecars[0].Args = nil }, true},
		"OneSidecarLess":      {func(c *component.Component) { c.Sidecars = nil }, true},
		"AFixedMountsContent": {func(c *component.Component) { c.Mounts[1].Secret, c.Mounts[1].Hash = "f-2", "2" }, true},
		"AFixedMountsName":    {func(c *component.Component) { c.Mounts[1].Secret = "f-2" }, false},
		"AReloadedMountsName": {func(c *component.Component) { c.Mounts[0].Secret = "r-2" }, false},
		"AMountsPath":         {func(c *component.Component) { c.Mounts[0].Path = "elsewhere" }, true},
		"TheOrderOfMounts":    {func(c *component.Component) { slices.Reverse(c.Mounts) }, false},
		"TheReadinessPath":    {func(c *component.Component) { c.Readiness.Path = "/livez" }, false},
		"TheGrace":            {func(c *component.Component) { c.Grace = time.Hour }, false},
		"Labels":              {func(c *component.Component) { c.Labels = map[string]string{"a": "b"} }, false},
		"Resources":           {func(c *component.Component) { c.Main.Resources.LimitMemory = 1 }, false},
		"MoreReplicas":        {func(c *component.Component) { c.Replicas = 3 }, false},
	}
	want := f.planned(t, base()).replicas[0].hash
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := base()
			tc.change(&c)
			if got := f.planned(t, c).replicas[0].hash != want; got != tc.restart {
				t.Errorf("restart %v, want %v", got, tc.restart)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	f := newFixture(t)
	cases := map[string]struct {
		change func(*component.Component)
		want   string
	}{
		"AnUnknownVariable": {func(c *component.Component) { c.Main.Args = []string{"$(NOPE)"} }, "$(NOPE)"},
		"DataWithoutData":   {func(c *component.Component) { c.Main.Args = []string{"$(DATA)"} }, "$(DATA)"},
		"AProbeOfNoPort":    {func(c *component.Component) { c.Readiness.Port = "nope" }, `"nope"`},
		"ABalancedNoPort":   {func(c *component.Component) { c.Balanced = []component.Balanced{{Port: "nope"}} }, `"nope"`},
		"ANameWithASlash":   {func(c *component.Component) { c.Main.Name = "a/b" }, "name"},
		"KubernetesMissing": {
			func(c *component.Component) { c.Main.Version = "v1.36.4" },
			"kube-apiserver v1.36.4 is not built: run 'make kubernetes-1.36'",
		},
		"EtcdMissing": {
			func(c *component.Component) { c.Main.Program, c.Main.Version = "etcd", "v3.7.3" },
			"etcd v3.7.3 is not built: run 'make etcd'",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := f.component(1)
			tc.change(&c)
			if _, err := f.tryPlan(c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v: want an error with %q", err, tc.want)
			}
		})
	}
}

func TestApplyOfAMissingBinaryIsTheUsersToMend(t *testing.T) {
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	c.Main.Version = "v1.36.4"
	err := h.Apply(t.Context(), c)
	if e := reconcile.As(err); e == nil || e.Kind != reconcile.KindUser || e.Reason != "BinaryMissing" {
		t.Errorf("Apply: %v, want a UserError with BinaryMissing", err)
	}
	if s := statusOf(t, h, c); !s.Gone {
		t.Errorf("status %+v, want nothing to be there", s)
	}
}

func TestNamesThatAreNoFolders(t *testing.T) {
	h := newFixture(t).host(t)
	for _, name := range []string{"", "..", "a/b", ".hidden"} {
		if _, err := h.Delete(t.Context(), testNamespace, name); err == nil {
			t.Errorf("Delete of %q: want an error", name)
		}
		if _, err := h.Delete(t.Context(), name, "x"); err == nil {
			t.Errorf("Delete in %q: want an error", name)
		}
	}
}
