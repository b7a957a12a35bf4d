package openstacksim_test

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/providers"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

func octaviaError(message string) string {
	return `{"debuginfo":null,"faultcode":"Client","faultstring":"` + message + `"}`
}

func TestLoadBalancersArePendingAndThenActive(t *testing.T) {
	c, _, subnet := nodes(t, openstacksim.Options{BalancerTime: time.Second})
	ctx, client := t.Context(), c.balancers
	lb, err := loadbalancers.Create(ctx, client, loadbalancers.CreateOpts{Name: "api", VipSubnetID: subnet, Tags: []string{"owner=1"}}).Extract()
	check(t, err)
	if lb.ProvisioningStatus != "PENDING_CREATE" || lb.VipAddress != "10.0.0.2" || lb.VipPortID == "" {
		t.Errorf("at once it is %+v", lb)
	}
	listener := listeners.CreateOpts{LoadbalancerID: lb.ID, Protocol: listeners.ProtocolTCP, ProtocolPort: 6443}
	_, err = listeners.Create(ctx, client, listener).Extract()
	refused(t, err, 409, octaviaError("Load Balancer "+lb.ID+" is immutable and cannot be updated."))
	refused(t, loadbalancers.Delete(ctx, client, lb.ID, nil).ExtractErr(), 409, octaviaError("Invalid state PENDING_CREATE of loadbalancer resource "+lb.ID))
	c.clock.Step(time.Second)

	l, err := listeners.Create(ctx, client, listener).Extract()
	check(t, err)
	c.clock.Step(time.Second)
	_, err = listeners.Create(ctx, client, listener).Extract()
	refused(t, err, 409, octaviaError("Another Listener on this Load Balancer is already using protocol TCP and protocol_port 6443"))
	p, err := pools.Create(ctx, client, pools.CreateOpts{ListenerID: l.ID, Protocol: pools.ProtocolTCP, LBMethod: pools.LBMethodRoundRobin}).Extract()
	check(t, err)
	c.clock.Step(time.Second)
	member := pools.CreateMemberOpts{Address: "10.0.0.9", ProtocolPort: 6443, SubnetID: subnet}
	m, err := pools.CreateMember(ctx, client, p.ID, member).Extract()
	check(t, err)
	c.clock.Step(time.Second)
	_, err = pools.CreateMember(ctx, client, p.ID, member).Extract()
	refused(t, err, 409, octaviaError("Another member on this pool is already using ip 10.0.0.9 on protocol_port 6443"))
	check(t, pools.BatchUpdateMembers(ctx, client, p.ID, []pools.BatchUpdateMemberOpts{{Address: "10.0.0.9", ProtocolPort: 6443}, {Address: "10.0.0.10", ProtocolPort: 6443}}).ExtractErr())
	c.clock.Step(time.Second)
	_, err = monitors.Create(ctx, client, monitors.CreateOpts{PoolID: p.ID, Type: "TCP", Delay: 5, Timeout: 3, MaxRetries: 2}).Extract()
	check(t, err)
	c.clock.Step(time.Second)

	pages, err := loadbalancers.List(client, loadbalancers.ListOpts{Tags: []string{"owner=1"}}).AllPages(ctx)
	check(t, err)
	all, err := loadbalancers.ExtractLoadBalancers(pages)
	check(t, err)
	if len(all) != 1 || all[0].ProvisioningStatus != "ACTIVE" || len(all[0].Listeners) != 1 || len(all[0].Pools) != 1 {
		t.Errorf("found by its tag: %+v", all)
	}
	got, err := pools.Get(ctx, client, p.ID).Extract()
	check(t, err)
	if len(got.Members) != 2 || got.MonitorID == "" || got.Listeners[0].ID != l.ID {
		t.Errorf("the pool is %+v", got)
	}
	same, err := pools.GetMember(ctx, client, p.ID, m.ID).Extract()
	check(t, err)
	if same.ProvisioningStatus != "ACTIVE" {
		t.Errorf("the member that was kept is %s", same.ProvisioningStatus)
	}

	refused(t, loadbalancers.Delete(ctx, client, lb.ID, nil).ExtractErr(), 400, octaviaError("Validation failure: Cannot delete Load Balancer "+lb.ID+" - it has children"))
	check(t, loadbalancers.Delete(ctx, client, lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr())
	c.clock.Step(time.Second)
	_, err = loadbalancers.Get(ctx, client, lb.ID).Extract()
	refused(t, err, 404, octaviaError("Load Balancer "+lb.ID+" not found."))
	for _, leak := range c.Leaks(c.project.ID) {
		if leak.Kind != "network" && leak.Kind != "subnet" {
			t.Errorf("left behind: %s", leak)
		}
	}
}

func TestLoadBalancersArePopulatedAtOnce(t *testing.T) {
	c, _, subnet := nodes(t, openstacksim.Options{})
	ctx := t.Context()
	lb, err := loadbalancers.Create(ctx, c.balancers, loadbalancers.CreateOpts{Name: "api", VipSubnetID: subnet, Listeners: []listeners.CreateOpts{{
		Protocol: listeners.ProtocolTCP, ProtocolPort: 6443, DefaultPool: &pools.CreateOpts{
			Protocol: pools.ProtocolTCP, LBMethod: pools.LBMethodRoundRobin, Members: []pools.CreateMemberOpts{{Address: "10.0.0.9", ProtocolPort: 6443}},
			Monitor: &monitors.CreateOpts{Type: "TCP", Delay: 5, Timeout: 3, MaxRetries: 2},
		},
	}}}).Extract()
	check(t, err)
	got, err := pools.Get(ctx, c.balancers, lb.Pools[0].ID).Extract()
	check(t, err)
	if len(got.Members) != 1 || got.MonitorID == "" || got.ProvisioningStatus != "ACTIVE" {
		t.Errorf("the pool is %+v", got)
	}
	c.SetQuota(c.project.ID, "load-balancer", "load_balancer", 1)
	_, err = loadbalancers.Create(ctx, c.balancers, loadbalancers.CreateOpts{VipSubnetID: subnet}).Extract()
	refused(t, err, 403, octaviaError("Quota has been met for resources: Load Balancer"))
	c.FailBalancer(lb.ID)
	_, err = listeners.Create(ctx, c.balancers, listeners.CreateOpts{LoadbalancerID: lb.ID, Protocol: listeners.ProtocolTCP, ProtocolPort: 80}).Extract()
	refused(t, err, 409, octaviaError("Load Balancer "+lb.ID+" is immutable and cannot be updated."))
	check(t, loadbalancers.Delete(ctx, c.balancers, lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr())

	pages, err := providers.List(c.balancers, nil).AllPages(ctx)
	check(t, err)
	if all, _ := providers.ExtractProviders(pages); len(all) == 0 || all[0].Name != "amphora" {
		t.Errorf("the providers are %v", all)
	}
}
