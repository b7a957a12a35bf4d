// Package nova is the simulator's compute service, version 2.1 with microversions.
package nova

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/cinder"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/neutron"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Nova holds the servers. Besides its handlers, its methods are called under the lock of
// the state, if nothing else is said.
type Nova struct {
	// MaxMinor is the newest microversion, 2.MaxMinor.
	MaxMinor int
	// BuildTime is how long servers build, ActionTime how long actions on them last, and
	// DeleteTime how long their deletion.
	BuildTime, ActionTime, DeleteTime time.Duration
	// Quotas are by project: instances, cores, ram, server_groups, ...
	Quotas *state.Quotas

	state   *state.State
	neutron *neutron.Neutron
	cinder  *cinder.Cinder
	glance  *glance.Glance
	driver  Driver

	ctx    context.Context
	cancel context.CancelFunc
	jobs   sync.WaitGroup

	zones    []zone
	servers  *state.Table[*Server]
	deleted  []*Server
	flavors  *state.Table[*Flavor]
	groups   *state.Table[*group]
	keypairs *state.Table[*keypair]
	faults   []*BuildFault
}

type zone struct {
	name  string
	hosts int
}

// available is what a zone is while one of its hosts is up.
func (z zone) available() bool { return z.hosts > 0 }

// New adds the service to a front. A nil driver boots nothing.
func New(s *state.State, f *front.Front, n *neutron.Neutron, c *cinder.Cinder, g *glance.Glance, d Driver) *Nova {
	nova := &Nova{
		MaxMinor: 93, state: s, neutron: n, cinder: c, glance: g, driver: d,
		zones:    []zone{{"nova", 32}},
		servers:  state.NewTable[*Server](s, "server"),
		flavors:  state.NewTable[*Flavor](s, ""),
		groups:   state.NewTable[*group](s, "server group"),
		keypairs: state.NewTable[*keypair](s, "key pair"),
	}
	s.Keep("deleted servers", &nova.deleted)
	nova.ctx, nova.cancel = context.WithCancel(context.Background())
	nova.Quotas = state.NewQuotas(s, "compute", map[string]int{
		"instances": 10, "cores": 20, "ram": 51200, "key_pairs": 100, "metadata_items": 128, "server_groups": 10, "server_group_members": 10,
		"injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255,
	}, nova.used)
	service := f.Add(&front.Service{
		Name: "compute", Prefix: "/compute/v2.1", Before: nova.before, Header: header,
		Error: func(e *front.Error) front.Reply { return front.FaultNamed(e, "computeFault") },
	})
	nova.versionRoutes(service)
	nova.serverRoutes(service)
	nova.metadataRoutes(service)
	nova.attachmentRoutes(service)
	nova.flavorRoutes(service)
	nova.groupRoutes(service)
	nova.keypairRoutes(service)
	nova.limitRoutes(service)
	return nova
}

// Close ends what drivers do, and waits for it. Its caller does not hold the lock.
func (n *Nova) Close() {
	n.state.Do(n.cancel) // so that no driver is called from then on
	n.jobs.Wait()
}

// AwaitDriver waits until the driver has done all that it was asked for. Nobody asks for
// more meanwhile. Its caller does not hold the lock.
func (n *Nova) AwaitDriver() { n.jobs.Wait() }

// SetZones sets the availability zones and how many hosts each has. One without hosts is not
// available.
func (n *Nova) SetZones(names []string, hosts int) {
	n.zones = nil
	for _, name := range names {
		n.zones = append(n.zones, zone{name, hosts})
	}
}

func (n *Nova) versionRoutes(s *front.Service) {
	s.Open("GET", "/compute", "/", http.StatusOK, func(r *front.Request) (any, error) {
		return map[string]any{"versions": []any{n.version(r)}}, nil
	})
	s.Open("GET", "/compute/v2.1", "/", http.StatusOK, func(r *front.Request) (any, error) {
		return map[string]any{"version": n.version(r)}, nil
	})
}

func (n *Nova) version(r *front.Request) map[string]any {
	return map[string]any{
		"id": "v2.1", "status": "CURRENT", "version": fmt.Sprintf("2.%d", n.MaxMinor), "min_version": "2.1", "updated": "2013-07-23T11:33:21Z",
		"links":       []any{map[string]any{"rel": "self", "href": r.Base() + "/compute/v2.1/"}},
		"media-types": []any{map[string]any{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}},
	}
}

// before reads the microversion.
func (n *Nova) before(r *front.Request) error {
	asked := r.Header.Get("X-OpenStack-Nova-API-Version")
	for _, both := range r.Header.Values("OpenStack-API-Version") {
		for one := range strings.SplitSeq(both, ",") {
			if version, ok := strings.CutPrefix(strings.TrimSpace(one), "compute "); ok {
				asked = version
			}
		}
	}
	r.Minor, r.Version = 1, "2.1"
	switch asked {
	case "":
		return nil
	case "latest":
		r.Minor, r.Version = n.MaxMinor, fmt.Sprintf("2.%d", n.MaxMinor)
		return nil
	}
	r.Version = asked
	var major, minor int
	if _, err := fmt.Sscanf(asked, "%d.%d", &major, &minor); err != nil {
		r.Version = ""
		return front.Errorf(http.StatusBadRequest, "API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", asked)
	}
	if major != 2 || minor < 1 || minor > n.MaxMinor {
		return front.Errorf(http.StatusNotAcceptable, "Version %s is not supported by the API. Minimum is 2.1 and maximum is 2.%d.", asked, n.MaxMinor)
	}
	r.Minor = minor
	return nil
}

func header(r *front.Request, h http.Header) {
	if r.Version != "" {
		h.Set("OpenStack-API-Version", "compute "+r.Version)
		h.Set("X-OpenStack-Nova-API-Version", r.Version)
	}
	h["Vary"] = []string{"OpenStack-API-Version", "X-OpenStack-Nova-API-Version"}
}

// needs refuses a route that a microversion does not have.
func needs(minor int, h front.Handler) front.Handler {
	return func(r *front.Request) (any, error) {
		if r.Minor < minor {
			return nil, front.Errorf(http.StatusNotFound, "The resource could not be found.")
		}
		return h(r)
	}
}

// invalidInput is what Nova's schemas answer.
func invalidInput(field string, value any, reason string, args ...any) error {
	return front.Errorf(http.StatusBadRequest, "Invalid input for field/attribute %s. Value: %v. %s", field, value, fmt.Sprintf(reason, args...))
}
