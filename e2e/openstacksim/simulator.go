// Package openstacksim is an OpenStack in one process: Keystone, Nova with microversions,
// Neutron, Glance, Cinder and Octavia as far as the dataplane uses them, over HTTP, with
// state, quotas and the errors of the real ones, and on a clock that a test can hold.
//
// A test plans faults, is asked before and after each call, counts the calls, and is told
// what was left behind.
package openstacksim

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/e2e/openstacksim/cinder"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/keystone"
	"github.com/marina-dev/marina/e2e/openstacksim/neutron"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/e2e/openstacksim/octavia"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Region is the only region.
const Region = keystone.Region

// Options say how the cloud is. The zero value is a cloud without delays.
type Options struct {
	// Clock is what everything goes by; the real one if there is none.
	Clock clock.Clock
	// Listen is the address to listen at; a free port of 127.0.0.1 if it is empty.
	Listen string
	// TLS makes it an HTTPS server.
	TLS *tls.Config
	// Driver boots the servers; nothing is booted if there is none.
	Driver nova.Driver
	// File keeps the cloud, so that a later one at the same address goes on where this one
	// ended; see state.Open. It takes a cloud without delays.
	File string
	// Failed is told of what could not be written to it.
	Failed func(error)
	// Begin may look at the cloud and add to it before anybody else asks it for anything, and
	// before it boots what is in the file.
	Begin func(*Simulator)
	// BuildTime is how long servers build, ActionTime how long actions on them last,
	// DeleteTime how long their deletion does.
	BuildTime, ActionTime, DeleteTime time.Duration
	// VolumeTime is how long volumes are creating, detaching and deleting; BalancerTime how
	// long changes of load balancers are pending.
	VolumeTime, BalancerTime time.Duration
	// TokenLifetime is one hour if it is zero.
	TokenLifetime time.Duration
	// ComputeMinor is Nova's newest microversion, 2.ComputeMinor; 93 (Zed) if it is zero.
	ComputeMinor int
	// Zones are the availability zones, "nova" if there are none; Hosts is how many hosts
	// each has, 32 if it is zero.
	Zones []string
	Hosts int
}

// Simulator is a running cloud.
type Simulator struct {
	state    *state.State
	front    *front.Front
	keystone *keystone.Keystone
	nova     *nova.Nova
	neutron  *neutron.Neutron
	glance   *glance.Glance
	cinder   *cinder.Cinder
	octavia  *octavia.Octavia

	server  *http.Server
	url     string
	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

// catalog is where the services are, relative to the listener.
var catalog = []keystone.Endpoint{
	{Type: "identity", Name: "keystone", Path: "/identity"},
	{Type: "compute", Name: "nova", Path: "/compute/v2.1"},
	{Type: "network", Name: "neutron", Path: "/network"},
	{Type: "image", Name: "glance", Path: "/image"},
	{Type: "volumev3", Name: "cinderv3", Path: "/volume/v3/{project}"},
	{Type: "block-storage", Name: "cinder", Path: "/volume/v3/{project}"},
	{Type: "load-balancer", Name: "octavia", Path: "/load-balancer"},
}

// Start starts a cloud without projects, flavors, images and networks.
func Start(o Options) (*Simulator, error) {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if len(o.Zones) == 0 {
		o.Zones = []string{"nova"}
	}
	if delays := o.BuildTime + o.ActionTime + o.DeleteTime + o.VolumeTime + o.BalancerTime; o.File != "" && delays > 0 {
		return nil, errors.New("a cloud that is kept in a file has no delays")
	}
	listener, err := net.Listen("tcp", cmp.Or(o.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Simulator{state: state.New(o.Clock), url: "http://" + listener.Addr().String(), cancel: cancel}
	if o.TLS != nil {
		s.url = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, o.TLS)
	}
	s.front = front.New(s.state)
	s.keystone = keystone.New(s.state, s.front, catalog)
	s.neutron = neutron.New(s.state, s.front)
	s.glance = glance.New(s.state, s.front)
	s.cinder = cinder.New(s.state, s.front, s.glance)
	s.octavia = octavia.New(s.state, s.front, s.neutron)
	s.nova = nova.New(s.state, s.front, s.neutron, s.cinder, s.glance, o.Driver)

	s.keystone.TokenLifetime = cmp.Or(o.TokenLifetime, time.Hour)
	s.nova.BuildTime, s.nova.ActionTime, s.nova.DeleteTime = o.BuildTime, o.ActionTime, o.DeleteTime
	s.nova.MaxMinor = cmp.Or(o.ComputeMinor, s.nova.MaxMinor)
	s.nova.SetZones(o.Zones, cmp.Or(o.Hosts, 32))
	s.cinder.Delay, s.cinder.Zones = o.VolumeTime, o.Zones
	s.neutron.Zones = o.Zones
	s.octavia.Delay = o.BalancerTime

	if err := s.begin(o); err != nil {
		cancel()
		s.nova.Close()
		return nil, errors.Join(err, listener.Close())
	}
	s.server = &http.Server{Handler: s.front, ReadHeaderTimeout: time.Minute}
	s.running.Go(func() { _ = s.server.Serve(listener) })
	s.running.Go(func() { s.state.Run(ctx) })
	return s, nil
}

// begin goes on with what is in the file.
func (s *Simulator) begin(o Options) error {
	if o.File != "" {
		if err := s.state.Open(o.File, o.Failed); err != nil {
			return err
		}
		s.state.Do(s.octavia.Restored)
	}
	if o.Begin != nil {
		o.Begin(s)
	}
	s.state.Do(s.nova.Resume)
	return nil
}

// Close stops the cloud with all that hangs. A second call does nothing.
func (s *Simulator) Close() {
	s.closing.Do(func() {
		s.front.Close()
		_ = s.server.Close()
		s.cancel()
		s.running.Wait()
		s.nova.Close()
	})
}

// URL is where the cloud listens.
func (s *Simulator) URL() string { return s.url }

// AuthURL is the endpoint of Keystone, as clouds.yaml has it.
func (s *Simulator) AuthURL() string { return s.url + "/identity/v3" }
