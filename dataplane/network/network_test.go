package network

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// is compares what is there in the cloud with what is to be.
func (w *world) holds(t testing.TB, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, w.left()); diff != "" {
		t.Errorf("in the cloud (-want +got):\n%s", diff)
	}
}

func TestReady(t *testing.T) {
	w := newWorld(t)
	w.infra.Spec.DNSNameservers = []string{"192.0.2.53"}
	w.create(t).ready(t)
	w.holds(t, whole)
	status := w.network.Status
	for what, ok := range map[string]bool{
		"networkID": status.NetworkID != "", "subnetID": status.SubnetID != "", "routerID": status.RouterID != "",
		"nodeSecurityGroupID": status.NodeSecurityGroupID != "", "projectID": status.ProjectID == w.project.ID,
		"externalNetworkID": status.ExternalNetworkID == w.external, "cidr": status.CIDR == "10.250.0.0/22", "mtu": status.MTU == 1450,
		"dnsNameservers":     cmp.Equal(status.DNSNameservers, []string{"192.0.2.53"}),
		"observedGeneration": status.ObservedGeneration == w.network.Generation,
	} {
		if !ok {
			t.Errorf("%s is wrong in %+v", what, status)
		}
	}
	w.dismiss(t)
	if _, err := w.pass(t); err != nil || !w.gone(t) {
		t.Errorf("%v, %+v; want it to be gone", err, w.network.Status.Conditions)
	}
	w.holds(t, map[string]int{})
}

// Nobody pays for a network in which nothing happens.
func TestQuiet(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	if got := w.Writes.Load(); got != 2 {
		t.Errorf("%d writes for a whole network, want 2: the project, and the rest", got)
	}
	if got := w.Work(); got > 11 {
		t.Errorf("%d requests for a whole network, want at most 11: %v", got, w.Calls(front.Match{}))
	}
	still := func(what string, requests int) {
		t.Helper()
		writes := w.Writes.Load()
		w.ResetCalls()
		if _, err := w.pass(t); err != nil {
			t.Error(err)
		}
		if got := w.Count(front.Match{}); got != requests {
			t.Errorf("%s: %d requests, want %d: %v", what, got, requests, w.Calls(front.Match{}))
		}
		if got := w.Writes.Load(); got != writes {
			t.Errorf("%s: %d writes, want none", what, got-writes)
		}
	}
	still("a further pass", 0)
	w.clock.Step(15*time.Minute - time.Second)
	still("before it is time", 0)
	w.clock.Step(time.Second)
	still("when it is time", 5)
	still("after that", 0)
	w.restart()
	still("a new controller", 6) // one of them is for a token
	still("after that", 0)
}

// What is of ours and not as it is to be is put right; what others have added stays.
func TestRepairs(t *testing.T) {
	for name, harm := range map[string]func(*testing.T, *world, *cloud) error{
		"ARuleIsGone": func(t *testing.T, w *world, c *cloud) error {
			return rules.Delete(t.Context(), c.ServiceClient, groupOf(t, w, c).Rules[4].ID).ExtractErr()
		},
		"ARuleOfAnEarlierVersion": func(t *testing.T, w *world, c *cloud) error {
			_, err := rules.Create(t.Context(), c.ServiceClient, rules.CreateOpts{
				Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP, PortRangeMin: 22, PortRangeMax: 22,
				SecGroupID: w.network.Status.NodeSecurityGroupID, Description: c.key(roleRule),
			}).Extract()
			return err
		},
		"TheInterfaceIsGone": func(t *testing.T, w *world, c *cloud) error {
			_, err := routers.RemoveInterface(t.Context(), c.ServiceClient, w.network.Status.RouterID, routers.RemoveInterfaceOpts{SubnetID: w.network.Status.SubnetID}).Extract()
			return err
		},
		"TheGatewayIsGone": func(t *testing.T, w *world, c *cloud) error {
			_, err := routers.Update(t.Context(), c.ServiceClient, w.network.Status.RouterID, routers.UpdateOpts{GatewayInfo: &routers.GatewayInfo{}}).Extract()
			return err
		},
		"OtherNameservers": func(t *testing.T, w *world, c *cloud) error {
			_, err := subnets.Update(t.Context(), c.ServiceClient, w.network.Status.SubnetID, subnets.UpdateOpts{DNSNameservers: &[]string{"198.51.100.1"}}).Extract()
			return err
		},
		"TheKeysAreGone": func(t *testing.T, w *world, c *cloud) error {
			none, status := "mine", w.network.Status
			if _, err := networks.Update(t.Context(), c.ServiceClient, status.NetworkID, networks.UpdateOpts{Description: &none}).Extract(); err != nil {
				return err
			}
			if _, err := subnets.Update(t.Context(), c.ServiceClient, status.SubnetID, subnets.UpdateOpts{Description: &none}).Extract(); err != nil {
				return err
			}
			if _, err := routers.Update(t.Context(), c.ServiceClient, status.RouterID, routers.UpdateOpts{Description: &none}).Extract(); err != nil {
				return err
			}
			_, err := groups.Update(t.Context(), c.ServiceClient, status.NodeSecurityGroupID, groups.UpdateOpts{Description: &none}).Extract()
			return err
		},
		"TheNamesAreOthers": func(t *testing.T, w *world, c *cloud) error {
			name := "renamed"
			_, err := networks.Update(t.Context(), c.ServiceClient, w.network.Status.NetworkID, networks.UpdateOpts{Name: &name}).Extract()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.infra.Spec.DNSNameservers = []string{"192.0.2.53"}
			w.create(t).ready(t)
			c, before := w.neutron(t), w.network.Status
			w.must(t, harm(t, w, c))
			_, err := w.later(t, 15*time.Minute)
			w.must(t, err)
			w.is(t, "Ready", "True", "AsExpected", "")
			w.holds(t, whole)
			before.Conditions, w.network.Status.Conditions = nil, nil
			if diff := cmp.Diff(before, w.network.Status); diff != "" {
				t.Errorf("status (-before +after):\n%s", diff)
			}
			group := groupOf(t, w, c)
			var have []rules.CreateOpts
			for _, r := range group.Rules {
				have = append(have, allows(r))
			}
			if len(have) != 7 {
				t.Errorf("%d rules, want 7: %+v", len(have), have)
			}
			w.restart()
			w.ResetCalls()
			_, err = w.pass(t)
			w.must(t, err)
			for _, call := range w.Calls(front.Match{Service: "network"}) {
				if call.Method != http.MethodGet || call.Path != "/networks" && call.Path != "/subnets" && call.Path != "/routers" && call.Path != "/ports" && call.Path != "/security-groups" {
					t.Errorf("it is not as it is to be: %s", call)
				}
			}
		})
	}
}

func groupOf(t testing.TB, w *world, c *cloud) *groups.SecGroup {
	t.Helper()
	group, err := c.groups().Get(t.Context(), w.network.Status.NodeSecurityGroupID)
	w.must(t, err)
	return group
}

// A network that somebody has deleted is made again, with what hangs on it.
func TestDeletedBehindOurBack(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	before, c := w.network.Status, w.neutron(t)
	_, err := routers.RemoveInterface(t.Context(), c.ServiceClient, before.RouterID, routers.RemoveInterfaceOpts{SubnetID: before.SubnetID}).Extract()
	w.must(t, err)
	w.must(t, c.networks().Delete(t.Context(), before.NetworkID))
	w.must(t, c.groups().Delete(t.Context(), before.NodeSecurityGroupID))
	_, err = w.later(t, 15*time.Minute)
	w.must(t, err)
	w.is(t, "Ready", "True", "AsExpected", "")
	w.holds(t, whole)
	if now := w.network.Status; now.NetworkID == before.NetworkID || now.NodeSecurityGroupID == before.NodeSecurityGroupID || now.RouterID != before.RouterID {
		t.Errorf("%+v, want another network and group and the same router as %+v", now, before)
	}
}

// Rules that others have added to the group stay.
func TestRulesOfOthersStay(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	c := w.neutron(t)
	theirs, err := rules.Create(t.Context(), c.ServiceClient, rules.CreateOpts{
		Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP, PortRangeMin: 22, PortRangeMax: 22,
		SecGroupID: w.network.Status.NodeSecurityGroupID, Description: "ssh",
	}).Extract()
	w.must(t, err)
	_, err = w.later(t, 15*time.Minute)
	w.must(t, err)
	_, err = rules.Get(t.Context(), c.ServiceClient, theirs.ID).Extract()
	w.must(t, err)
}

// Whoever comes without any memory finds all by its owner key.
func TestAdoption(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	before := w.network.Status
	w.network.Status = v1alpha1.ClusterNetworkStatus{}
	w.must(t, management.Client.Status().Update(t.Context(), w.network))
	w.restart()
	w.ready(t)
	w.holds(t, whole)
	before.Conditions, w.network.Status.Conditions = nil, nil
	if diff := cmp.Diff(before, w.network.Status); diff != "" {
		t.Errorf("status (-before +after):\n%s", diff)
	}
}

// Several of one kind are of requests that were done later than they were looked for. The
// one that is used stays.
func TestTwins(t *testing.T) {
	for name, known := range map[string]bool{"Known": true, "Forgotten": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).create(t).ready(t)
			before, c := w.network.Status, w.neutron(t)
			for range 3 {
				_, err := c.networks().Create(t.Context())
				w.must(t, err)
				_, err = c.routers(w.external).Create(t.Context())
				w.must(t, err)
			}
			if !known {
				w.network.Status = v1alpha1.ClusterNetworkStatus{}
				w.must(t, management.Client.Status().Update(t.Context(), w.network))
			}
			w.restart()
			w.ready(t)
			w.holds(t, whole)
			if now := w.network.Status; now.NetworkID != before.NetworkID || now.RouterID != before.RouterID {
				t.Errorf("%+v, want those that are used: %+v", now, before)
			}
		})
	}
}

// What others own, by whatever names, is neither used nor changed nor deleted: not what
// another Cluster has in the project, nor what somebody in another project shares.
func TestOthersAreNotTouched(t *testing.T) {
	w := newWorld(t)
	c := w.neutron(t)
	other := newCloud(c.ServiceClient, c.project, w.network.Spec.ClusterRef)
	other.ref.UID = "another"
	n, err := other.networks().Create(t.Context())
	w.must(t, err)
	_, err = other.subnets(n.ID, subnets.CreateOpts{CIDR: "10.250.0.0/22", IPVersion: 4}).Create(t.Context())
	w.must(t, err)
	_, err = other.routers(w.external).Create(t.Context())
	w.must(t, err)
	_, err = other.groups().Create(t.Context())
	w.must(t, err)
	unmarked, err := networks.Create(t.Context(), c.ServiceClient, networks.CreateOpts{Name: c.name}).Extract()
	w.must(t, err)
	theirs := w.Leaks(w.project.ID)
	w.SetUp()

	w.create(t).ready(t)
	w.holds(t, whole)
	if id := w.network.Status.NetworkID; id == n.ID || id == unmarked.ID {
		t.Error("it uses a network of somebody else")
	}
	w.ResetCalls()
	w.dismiss(t)
	_, err = w.pass(t)
	w.must(t, err)
	w.holds(t, map[string]int{})
	for _, l := range theirs {
		for _, call := range w.Calls(front.Match{Method: "DELETE"}) {
			if call.URL == "/network/v2.0/networks/"+l.ID || call.URL == "/network/v2.0/routers/"+l.ID {
				t.Errorf("it deletes %s", l)
			}
		}
	}
	_, err = other.getNetwork(t.Context(), n.ID)
	w.must(t, err)
	_, err = other.getNetwork(t.Context(), unmarked.ID)
	w.must(t, err)
}
