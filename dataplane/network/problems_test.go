package network

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What is missing is said in words that help, is found again when it is there, and leaves
// no second one of anything behind.
func TestProblems(t *testing.T) {
	quota := func(resource string, limit int) func(testing.TB, *world) {
		return func(_ testing.TB, w *world) { w.SetQuota(w.project.ID, "network", resource, limit) }
	}
	raised := func(resource string) func(testing.TB, *world) { return quota(resource, 100) }
	for name, test := range map[string]struct {
		prepare, mend func(testing.TB, *world)
		status        string // that of Ready; False if it is empty
		reason, words string
		untouched     bool // nothing may be asked for in the cloud
	}{
		"NetworkQuota": {prepare: quota("network", 0), mend: raised("network"), reason: "QuotaExceeded", words: "is exhausted: 0 of 0 networks are used: have it raised"},
		"SubnetQuota":  {prepare: quota("subnet", 0), mend: raised("subnet"), reason: "QuotaExceeded", words: "0 of 0 subnets are used"},
		"RouterQuota":  {prepare: quota("router", 0), mend: raised("router"), reason: "QuotaExceeded", words: "0 of 0 routers are used"},
		"GroupQuota":   {prepare: quota("security_group", 1), mend: raised("security_group"), reason: "QuotaExceeded", words: "1 of 1 security groups are used"},
		"RuleQuota":    {prepare: quota("security_group_rule", 7), mend: raised("security_group_rule"), reason: "QuotaExceeded", words: "of 7 security group rules are used"},
		"NoExternalNetworkYet": {
			prepare: func(t testing.TB, w *world) { w.know(t, "") }, mend: func(t testing.TB, w *world) { w.know(t, w.external) },
			status: "Unknown", reason: "InfrastructureNotReady", words: "'marina infrastructure list -o wide' says why",
		},
		"ExternalNetworkGone": {
			prepare: func(t testing.TB, w *world) { w.know(t, "11111111-7a52-4d9b-9f0c-3b8f2f9a0001") }, mend: func(t testing.TB, w *world) { w.know(t, w.external) },
			reason: "ExternalNetworkNotFound", words: `the external network "public" (11111111-7a52-4d9b-9f0c-3b8f2f9a0001) of Infrastructure`,
		},
		"NoSecret": {
			prepare: func(t testing.TB, w *world) { w.give(t, "") }, mend: func(t testing.TB, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason: "SecretNotFound", words: "/mine does not exist: create it, with the key clouds.yaml", untouched: true,
		},
		"NoCloudInTheFile": {
			prepare: func(t testing.TB, w *world) { w.give(t, "clouds: {other: {}}") }, mend: func(t testing.TB, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason: "CredentialsInvalid", words: `it has no cloud "openstack"`, untouched: true,
		},
		"AnotherCloudsCredentials": {
			prepare: func(t testing.TB, w *world) {
				w.give(t, "clouds: {openstack: {auth: {auth_url: 'https://u:secret of me@other/v3', application_credential_id: i, application_credential_secret: secret of him}}}")
			},
			mend:   func(t testing.TB, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason: "CredentialsMismatch", words: "it is for the cloud at https://other/v3", untouched: true,
		},
		"NoInfrastructure": {
			prepare: func(t testing.TB, w *world) { w.must(t, management.Client.Delete(t.Context(), w.infra)) },
			mend: func(t testing.TB, w *world) {
				w.infra.ResourceVersion, w.infra.UID = "", ""
				w.must(t, management.Client.Create(t.Context(), w.infra))
				w.know(t, w.external)
			},
			reason: "InfrastructureNotFound", words: "create it again", untouched: true,
		},
		"NoRights": {
			prepare: func(_ testing.TB, w *world) {
				w.Inject(front.Fault{Match: front.Match{Service: "network", Method: "POST"}, Effect: front.Fail(403), Times: 1})
			},
			mend:   func(testing.TB, *world) {},
			reason: "Forbidden", words: "the role member in the project",
		},
		"SomebodyHasTheAddress": {
			prepare: func(_ testing.TB, w *world) {
				w.Inject(front.Fault{Match: front.Match{Path: "/routers/{id}/add_router_interface"}, Effect: front.Fail(409), Times: 1})
			},
			mend:   func(testing.TB, *world) {},
			status: "Unknown", reason: "Conflict", words: "making the interface of the router",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).create(t)
			test.prepare(t, w)
			result, err := w.pass(t)
			if err != nil || result.RequeueAfter != time.Minute {
				t.Errorf("it looks again after %s, %v; want a minute", result.RequeueAfter, err)
			}
			status := test.status
			if status == "" {
				status = "False"
			}
			w.is(t, "Ready", status, test.reason, test.words)
			if n := w.Count(front.Match{}); test.untouched && n > 0 {
				t.Errorf("%d requests to the cloud, want none: %v", n, w.Calls(front.Match{}))
			}
			before := w.network.ResourceVersion
			_, _ = w.later(t, time.Minute)
			if name != "NoRights" && name != "SomebodyHasTheAddress" && w.network.ResourceVersion != before {
				t.Errorf("a second pass writes: %+v", w.network.Status)
			}
			test.mend(t, w)
			_, err = w.later(t, time.Minute)
			w.must(t, err)
			w.is(t, "Ready", "True", "AsExpected", "")
			w.holds(t, whole)
		})
	}
}

// While the cloud cannot be asked, what was found stays, and a new network waits. It is
// asked again later and later, or when it says so.
func TestOutage(t *testing.T) {
	for name, test := range map[string]struct {
		fault front.Fault
		words string
		first time.Duration
	}{
		"Throttled":   {front.Fault{Effect: front.Throttle(0)}, "This request was rate-limited.", 5 * time.Second},
		"AskedToWait": {front.Fault{Effect: front.Throttle(90 * time.Second)}, "This request was rate-limited.", 90 * time.Second},
		"Broken":      {front.Fault{Effect: front.Fail(500)}, "HTTP 500", 5 * time.Second},
		"BadGateway":  {front.Fault{Match: front.Match{Service: "network"}, Effect: front.Fail(502)}, "network: ", 5 * time.Second},
		"Reset":       {front.Fault{Effect: front.Reset()}, "it does not answer: connection ", 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).create(t)
			fault := w.Inject(test.fault)
			var waits []time.Duration
			for range 4 {
				result, err := w.pass(t)
				w.must(t, err)
				waits = append(waits, result.RequeueAfter)
				w.clock.Step(result.RequeueAfter)
			}
			if fault.Hits() == 0 {
				t.Fatal("no harm was done")
			}
			want := []time.Duration{test.first, max(test.first, 10*time.Second), max(test.first, 20*time.Second), max(test.first, 40*time.Second)}
			if diff := cmp.Diff(want, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			w.is(t, "Ready", "Unknown", "CloudUnreachable", test.words)
			w.is(t, "Reachable", "False", "CloudUnreachable", test.words)
			fault.Remove()
			w.ready(t)
			w.is(t, "Reachable", "True", "AsExpected", "")
			w.holds(t, whole)

			fault = w.Inject(test.fault)
			_, err := w.later(t, 15*time.Minute)
			w.must(t, err)
			w.is(t, "Ready", "True", "AsExpected", "")
			w.is(t, "Reachable", "False", "CloudUnreachable", test.words)
			fault.Remove()
			_, err = w.later(t, 5*time.Minute)
			w.must(t, err)
			w.is(t, "Reachable", "True", "AsExpected", "")
		})
	}
}

// Credentials that a cloud refuses are not tried again and again: it would lock the user.
// Others are, within a minute.
func TestCredentialsExpireAndAreReplaced(t *testing.T) {
	w := newWorld(t)
	first := w.AddCredential(w.project, "first", w.clock.Now().Add(time.Hour))
	w.create(t)
	w.give(t, w.CredentialYAML(first))
	w.ready(t)
	before := w.network.Status
	_, err := w.later(t, time.Hour)
	w.must(t, err)
	w.is(t, "Ready", "False", "Unauthorized", "replace the credentials in Secret "+w.secret.Namespace+"/mine: they are wrong, expired or revoked")
	w.ResetCalls()
	for range 9 {
		result, err := w.later(t, time.Minute)
		if err != nil || result.RequeueAfter != time.Minute {
			t.Errorf("it looks at the Secret again after %s, %v; want a minute", result.RequeueAfter, err)
		}
	}
	if n := w.Count(front.Match{}); n > 0 {
		t.Errorf("%d requests with refused credentials in 9 minutes, want none: %v", n, w.Calls(front.Match{}))
	}
	_, err = w.later(t, time.Minute)
	w.must(t, err)
	if n := w.Count(front.Match{}); n == 0 || n > 3 {
		t.Errorf("%d requests with refused credentials after 10 minutes, want one try: %v", n, w.Calls(front.Match{}))
	}
	w.give(t, w.CredentialYAML(w.AddCredential(w.project, "second", time.Time{})))
	_, err = w.later(t, time.Minute)
	w.must(t, err)
	w.is(t, "Ready", "True", "AsExpected", "")
	before.Conditions, w.network.Status.Conditions = nil, nil
	if diff := cmp.Diff(before, w.network.Status); diff != "" {
		t.Errorf("status (-before +after):\n%s", diff)
	}
}

// Another Secret is taken up at once.
func TestAnotherSecret(t *testing.T) {
	w := newWorld(t).create(t)
	w.give(t, strings.ReplaceAll(w.CloudsYAML(w.project), w.project.Password, "secret of nobody"))
	_, err := w.pass(t)
	w.must(t, err)
	w.is(t, "Ready", "False", "Unauthorized", "")
	w.network.Spec.CredentialsRef.Name, w.secret.Name = "other", "other"
	w.give(t, w.CloudsYAML(w.project))
	w.must(t, management.Client.Update(t.Context(), w.network))
	w.ready(t)
}

// With credentials of another project nothing of the network would be found: it would be
// made a second time there, and be left behind here.
func TestCredentialsOfAnotherProject(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	other := w.AddProject("other")
	w.give(t, w.CloudsYAML(other))
	_, err := w.later(t, 15*time.Minute)
	w.must(t, err)
	w.is(t, "Ready", "False", "CredentialsMismatch", "is for the project other ("+other.ID+"), and the network is in the project "+w.project.ID+": give credentials of that one")
	w.dismiss(t)
	_, err = w.later(t, time.Minute)
	w.must(t, err)
	w.is(t, "Deleting", "False", "CredentialsMismatch", "give credentials of that one")
	if left := w.Leaks(other.ID); len(left) > 0 || w.gone(t) {
		t.Errorf("made in another project: %v; gone: %v", left, w.gone(t))
	}
	w.give(t, w.CloudsYAML(w.project))
	_, err = w.later(t, time.Minute)
	w.must(t, err)
	w.holds(t, map[string]int{})
}

func TestExistingNetwork(t *testing.T) {
	const elsewhere = "11111111-7a52-4d9b-9f0c-3b8f2f9a0001"
	attach := func(t testing.TB, w *world, subnet string) string {
		sc := w.neutron(t).ServiceClient
		router, err := routers.Create(t.Context(), sc, routers.CreateOpts{Name: "theirs", GatewayInfo: &routers.GatewayInfo{NetworkID: w.external}}).Extract()
		w.must(t, err)
		_, err = routers.AddInterface(t.Context(), sc, router.ID, routers.AddInterfaceOpts{SubnetID: subnet}).Extract()
		w.must(t, err)
		return router.ID
	}
	for name, test := range map[string]struct {
		cidr    string
		change  func(*v1alpha1.ExistingNetwork)
		without bool // a router
		reason  string
		words   string
	}{
		"AsItIsToBe":   {},
		"NoNetwork":    {change: func(e *v1alpha1.ExistingNetwork) { e.NetworkID = elsewhere }, reason: "NetworkNotFound", words: "there is no network " + elsewhere + " that the credentials may see"},
		"NoSubnet":     {change: func(e *v1alpha1.ExistingNetwork) { e.SubnetID = elsewhere }, reason: "SubnetNotFound", words: "openstack subnet list --network"},
		"NoRouter":     {without: true, reason: "RouterNotFound", words: "'openstack router add subnet ROUTER "},
		"PodsOverlap":  {cidr: "10.244.8.0/24", reason: "SubnetOverlaps", words: "has the range 10.244.8.0/24, which overlaps that of pods (10.244.0.0/16)"},
		"ServicesToo":  {cidr: "10.0.0.0/9", reason: "SubnetOverlaps", words: "which overlaps that of services (10.96.0.0/16)"},
		"OtherNetwork": {change: func(e *v1alpha1.ExistingNetwork) { e.NetworkID = "" }, reason: "SubnetNotInNetwork", words: "is not in the network"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cidr := test.cidr
			if cidr == "" {
				cidr = "192.168.7.0/24"
			}
			network, subnet := w.AddNetwork(w.project.ID, "theirs", cidr)
			router := ""
			if !test.without {
				router = attach(t, w, subnet)
			}
			other, _ := w.AddNetwork(w.project.ID, "other", "192.168.8.0/24")
			w.SetUp()
			existing := &v1alpha1.ExistingNetwork{NetworkID: network, SubnetID: subnet}
			if test.change != nil {
				test.change(existing)
			}
			if existing.NetworkID == "" {
				existing.NetworkID = other
			}
			w.network.Spec.NodeCIDR, w.network.Spec.Existing = "", existing
			w.create(t)
			if test.reason != "" {
				_, err := w.pass(t)
				w.must(t, err)
				w.is(t, "Ready", "False", test.reason, test.words)
				if name == "NoRouter" {
					attach(t, w, subnet)
					w.SetUp()
					_, err := w.later(t, time.Minute)
					w.must(t, err)
					w.is(t, "Ready", "True", "AsExpected", "")
				}
			} else {
				w.ready(t)
				s := w.network.Status
				if s.NetworkID != network || s.SubnetID != subnet || s.RouterID != router || s.ExternalNetworkID != w.external || s.CIDR != cidr || s.MTU != 1500 {
					t.Errorf("%+v", s)
				}
				w.holds(t, map[string]int{"security group": 1})
			}
			w.ResetCalls()
			w.dismiss(t)
			_, err := w.later(t, time.Minute)
			w.must(t, err)
			if !w.gone(t) {
				t.Errorf("it is there: %+v", w.network.Status)
			}
			w.holds(t, map[string]int{})
			for _, call := range w.Calls(front.Match{Service: "network"}) {
				if call.Method != http.MethodGet && call.Path != "/security-groups/{id}" {
					t.Errorf("it changes the network of somebody else: %s", call)
				}
			}
			_, err = w.neutron(t).getSubnet(t.Context(), subnet)
			w.must(t, err)
		})
	}
}

// Who shares a network need not show its router.
func TestNetworkOfSomebodyElse(t *testing.T) {
	w := newWorld(t)
	provider := w.neutronOf(t, w.AddProject("provider", "admin"))
	shared := true
	n, err := networks.Create(t.Context(), provider.ServiceClient, networks.CreateOpts{Name: "provider", Shared: &shared}).Extract()
	w.must(t, err)
	subnet, err := subnets.Create(t.Context(), provider.ServiceClient, subnets.CreateOpts{NetworkID: n.ID, CIDR: "192.168.7.0/24", IPVersion: 4}).Extract()
	w.must(t, err)
	w.network.Spec.NodeCIDR, w.network.Spec.Existing = "", &v1alpha1.ExistingNetwork{NetworkID: n.ID, SubnetID: subnet.ID}
	w.create(t).ready(t)
	if s := w.network.Status; s.SubnetID != subnet.ID || s.RouterID != "" || s.ExternalNetworkID != "" {
		t.Errorf("%+v, want the subnet and no router", s)
	}
	w.holds(t, map[string]int{"security group": 1})
}
