package openstack

import (
	"context"
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// call asks a service for something.
type call struct {
	service string
	ask     func(context.Context, *gophercloud.ServiceClient) error
}

func createServer(w *world, network string) call {
	return call{Compute, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
		_, err := servers.Create(ctx, sc, servers.CreateOpts{
			Name: "node", FlavorRef: w.flavor, ImageRef: w.image, Networks: []servers.Network{{UUID: network}},
		}, nil).Extract()
		return err
	}}
}

func createPort(network string) call {
	return call{Network, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
		_, err := ports.Create(ctx, sc, ports.CreateOpts{NetworkID: network}).Extract()
		return err
	}}
}

var (
	createVolume = call{Volume, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
		_, err := volumes.Create(ctx, sc, volumes.CreateOpts{Size: 20}, nil).Extract()
		return err
	}}
	listFlavors = call{Compute, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
		_, err := flavors.ListDetail(sc, nil).AllPages(ctx)
		return err
	}}
)

func (w *world) do(t testing.TB, c *Client, what call) error {
	t.Helper()
	sc, err := c.Service(t.Context(), what.service)
	if err != nil {
		t.Fatal(err)
	}
	return Classify(what.service, what.ask(t.Context(), sc))
}

// Each service refuses in a dialect of its own; who asks is told the same of all.
func TestErrorsOfServices(t *testing.T) {
	every := front.Match{}
	for name, test := range map[string]struct {
		prepare func(*world)
		ask     func(w *world, network string) call
		kind    Kind
		words   string
		byUser  bool
	}{
		"quota of Nova": {
			func(w *world) { w.SetQuota(w.project.ID, "compute", "instances", 0) }, createServer,
			Quota, "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances", true,
		},
		"quota of Neutron": {
			func(w *world) { w.SetQuota(w.project.ID, "network", "port", 0) }, func(_ *world, n string) call { return createPort(n) },
			Quota, "Quota exceeded for resources: ['port']", true,
		},
		"quota of Cinder": {
			func(w *world) { w.SetQuota(w.project.ID, "block-storage", "volumes", 0) }, func(*world, string) call { return createVolume },
			Quota, "Maximum number of volumes allowed (0) exceeded", true,
		},
		"quota of storage": {
			func(w *world) { w.SetQuota(w.project.ID, "block-storage", "gigabytes", 10) }, func(*world, string) call { return createVolume },
			Quota, "exceeds allowed gigabytes quota", true,
		},
		"quota of Octavia": {
			func(w *world) { w.SetQuota(w.project.ID, "load-balancer", "load_balancer", 0) },
			func(_ *world, n string) call {
				return call{LoadBalancer, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
					_, err := loadbalancers.Create(ctx, sc, loadbalancers.CreateOpts{Name: "lb", VipNetworkID: n}).Extract()
					return err
				}}
			},
			Quota, "Quota has been met for resources", true,
		},
		"a policy of Nova that speaks of quotas": {
			nil, func(*world, string) call {
				return call{Compute, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
					_, err := quotasets.Get(ctx, sc, "another").Extract()
					return err
				}}
			},
			Forbidden, "Policy doesn't allow", true,
		},
		"no address left": {
			nil, func(w *world, _ string) call {
				tiny, _ := w.AddNetwork(w.project.ID, "tiny", "192.0.2.0/30")
				return call{Network, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
					for range 3 {
						if err := createPort(tiny).ask(ctx, sc); err != nil {
							return err
						}
					}
					return nil
				}}
			},
			NoCapacity, "No more IP addresses available on network", false,
		},
		"nothing there, of Nova": {
			nil, func(*world, string) call {
				return call{Compute, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
					return servers.Get(ctx, sc, "gone").Err
				}}
			},
			NotFound, "Instance gone could not be found.", true,
		},
		"nothing there, of Neutron": {
			nil, func(*world, string) call {
				return call{Network, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
					return networks.Get(ctx, sc, "gone").Err
				}}
			},
			NotFound, "Network gone could not be found.", true,
		},
		"nothing there, of Glance": {
			nil, func(*world, string) call {
				return call{Image, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
					return images.Get(ctx, sc, "gone").Err
				}}
			},
			NotFound, "No image found with ID gone", true,
		},
		"in use": {
			nil, func(_ *world, n string) call {
				return call{Network, func(ctx context.Context, sc *gophercloud.ServiceClient) error {
					if err := createPort(n).ask(ctx, sc); err != nil {
						return err
					}
					return networks.Delete(ctx, sc, n).Err
				}}
			},
			Conflict, "Unable to complete operation on network", false,
		},
		"not to be understood": {
			nil, func(w *world, _ string) call { return createServer(w, "no-such-network") },
			BadRequest, "no-such-network", true,
		},
		"throttled by Nova":   {func(w *world) { w.Inject(front.Fault{Match: every, Effect: front.Throttle(7 * time.Second)}) }, createServer, Throttled, "This request was rate-limited.", false},
		"throttled by Cinder": {func(w *world) { w.Inject(front.Fault{Match: every, Effect: front.Throttle(time.Second)}) }, func(*world, string) call { return createVolume }, Throttled, "This request was rate-limited.", false},
		"broken": {func(w *world) { w.Inject(front.Fault{Match: every, Effect: front.Fail(500)}) }, func(*world, string) call { return listFlavors },
			Unavailable, "The server has either erred", false},
		"without an answer": {func(w *world) { w.Inject(front.Fault{Match: every, Effect: front.Reset()}) }, createServer, Unavailable, "it does not answer: connection reset", false},
		"lost":              {func(w *world) { w.Inject(front.Fault{Match: every, Effect: front.LoseResponse()}) }, createServer, Unavailable, "it does not answer: connection reset", false},
		"late":              {func(w *world) { w.Inject(front.Fault{Match: every, Effect: front.Hang()}) }, createServer, Unavailable, "it does not answer: timed out", false},
		"gone":              {func(w *world) { w.Close() }, createServer, Unavailable, "it does not answer: connection ", false},
		"unauthorized": {
			func(w *world) { w.SetPassword(w.project, "another") }, createServer,
			Unauthorized, "The request you have made requires authentication.", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openstacksim.Options{})
			network, _ := w.AddNetwork(w.project.ID, "lan", "10.0.0.0/24")
			c := w.client(t)
			what := test.ask(w, network)
			sc, err := c.Service(t.Context(), what.service) // before the fault
			if err != nil {
				t.Fatal(err)
			}
			if test.prepare != nil {
				test.prepare(w)
			}
			if name == "late" {
				sc.HTTPClient.Timeout = 100 * time.Millisecond
			}
			e := As(Classify(what.service, what.ask(t.Context(), sc)))
			if e == nil {
				t.Fatalf("it is done, want %s", test.kind)
			}
			if e.Kind != test.kind || !strings.Contains(e.Message, test.words) || e.ByUser() != test.byUser {
				t.Errorf("%s (by the user: %v): %s; want %s (%v): %s", e.Kind, e.ByUser(), e.Message, test.kind, test.byUser, test.words)
			}
			if e.Passing() != (test.kind == Throttled || test.kind == Unavailable) {
				t.Errorf("%s passes: %v", e.Kind, e.Passing())
			}
		})
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	c := w.client(t)
	w.Inject(front.Fault{Match: front.Match{Service: "block-storage"}, Effect: front.Throttle(90 * time.Second)})
	if e := As(w.do(t, c, createVolume)); e == nil || e.Kind != Throttled || e.After != 90*time.Second {
		t.Errorf("%+v, want to be told to wait for 90 s", e)
	}
}

func TestUntrustedCertificates(t *testing.T) {
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	w := newWorld(t, openstacksim.Options{TLS: &tls.Config{Certificates: lender.TLS.Certificates}})
	if _, err := w.pool.Client(t.Context(), w.cloud(), w.password(t)); !IsKind(err, Untrusted) {
		t.Errorf("%v, want %s", err, Untrusted)
	}
	cloud := w.cloud()
	cloud.CABundle = certificatePEM(lender.Certificate().Raw)
	if _, err := w.pool.Client(t.Context(), cloud, w.password(t)); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	cloud.CABundle = "-----BEGIN CERTIFICATE-----\nnonsense"
	if _, err := w.pool.Client(t.Context(), cloud, w.password(t)); !IsKind(err, BadRequest) {
		t.Errorf("%v, want %s", err, BadRequest)
	}
}
