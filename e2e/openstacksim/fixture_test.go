package openstacksim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

// cloud is a simulator on a clock that stands still, with one of each thing that servers
// need, and a client in a project.
type cloud struct {
	*openstacksim.Simulator
	clock         *fakeClock
	flavor, image string
	external      string
	project       openstacksim.Project
	*clients
}

// fakeClock is one that stands still, and sends what timers are made to a channel, if it
// has one.
type fakeClock struct {
	*testclock.FakeClock
	timers chan time.Duration
}

func (c *fakeClock) NewTimer(d time.Duration) clock.Timer {
	timer := c.FakeClock.NewTimer(d)
	if c.timers != nil {
		c.timers <- d
	}
	return timer
}

// clients are those of one project.
type clients struct {
	provider                                               *gophercloud.ProviderClient
	identity, compute, network, images, volumes, balancers *gophercloud.ServiceClient
}

func start(t testing.TB, o openstacksim.Options) *cloud {
	t.Helper()
	c := &cloud{clock: &fakeClock{FakeClock: testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}}
	o.Clock = c.clock
	var err error
	c.Simulator, err = openstacksim.Start(o)
	check(t, err)
	t.Cleanup(c.Close)
	c.flavor = c.AddFlavor("b3-8", 2, 8192, 50)
	c.image = c.AddImage("ubuntu", map[string]string{"os_distro": "ubuntu"})
	c.external = c.AddExternalNetwork("public", "203.0.113.0/24")
	c.AddVolumeType("ssd")
	c.project = c.AddProject("tenant")
	c.clients = c.in(t, c.project)
	return c
}

// in logs in by password.
func (c *cloud) in(t testing.TB, p openstacksim.Project) *clients {
	t.Helper()
	return login(t, gophercloud.AuthOptions{
		IdentityEndpoint: c.AuthURL(), Username: p.UserName, Password: p.Password, DomainName: "Default", TenantID: p.ID, AllowReauth: true,
	})
}

func login(t testing.TB, auth gophercloud.AuthOptions) *clients {
	t.Helper()
	provider, err := openstack.AuthenticatedClient(t.Context(), auth)
	check(t, err)
	return services(t, provider)
}

func services(t testing.TB, provider *gophercloud.ProviderClient) *clients {
	t.Helper()
	k := &clients{provider: provider}
	for at, make := range map[**gophercloud.ServiceClient]func(*gophercloud.ProviderClient, gophercloud.EndpointOpts) (*gophercloud.ServiceClient, error){
		&k.identity: openstack.NewIdentityV3, &k.compute: openstack.NewComputeV2, &k.network: openstack.NewNetworkV2, &k.images: openstack.NewImageV2,
		&k.volumes: openstack.NewBlockStorageV3, &k.balancers: openstack.NewLoadBalancerV2,
	} {
		client, err := make(provider, gophercloud.EndpointOpts{Region: openstacksim.Region})
		check(t, err)
		*at = client
	}
	k.compute.Microversion = "2.79"
	return k
}

// lan makes a network with a subnet.
func (k *clients) lan(t testing.TB, name, cidr string) (network, subnet string) {
	t.Helper()
	n, err := networks.Create(t.Context(), k.network, networks.CreateOpts{Name: name}).Extract()
	check(t, err)
	s, err := subnets.Create(t.Context(), k.network, subnets.CreateOpts{NetworkID: n.ID, CIDR: cidr, IPVersion: gophercloud.IPv4}).Extract()
	check(t, err)
	return n.ID, s.ID
}

// server asks for a server.
func (c *cloud) server(t testing.TB, name, network string) *servers.Server {
	t.Helper()
	s, err := servers.Create(t.Context(), c.compute, c.opts(name, network), nil).Extract()
	check(t, err)
	return s
}

func (c *cloud) opts(name, network string) servers.CreateOpts {
	return servers.CreateOpts{Name: name, FlavorRef: c.flavor, ImageRef: c.image, Networks: []servers.Network{{UUID: network}}}
}

// shown is a server as it is now.
func (k *clients) shown(t testing.TB, id string) *servers.Server {
	t.Helper()
	s, err := servers.Get(t.Context(), k.compute, id).Extract()
	check(t, err)
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that a call was answered with a status, and with words in its body.
func refused(t testing.TB, err error, status int, words string) {
	t.Helper()
	var unexpected gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &unexpected) {
		t.Fatalf("got %v, want an answer of %d", err, status)
	}
	if unexpected.Actual != status {
		t.Fatalf("got %d %s, want %d", unexpected.Actual, unexpected.Body, status)
	}
	if string(unexpected.Body) != words {
		t.Errorf("the answer is\n%s\nwant\n%s", unexpected.Body, words)
	}
}
