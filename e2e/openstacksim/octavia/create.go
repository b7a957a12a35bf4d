package octavia

import (
	"errors"
	"maps"
	"net/http"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/neutron"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// text is a string attribute of a request.
func text(in map[string]any, key string) string { s, _ := in[key].(string); return s }

// make is a new object that is in no table yet.
func (o *Octavia) make(r *front.Request, k *kind, in map[string]any, balancer string) (*object, error) {
	for _, key := range k.required {
		if in[key] == nil {
			return nil, front.Errorf(http.StatusBadRequest, "Invalid input for field/attribute %s. Value: 'None'. Mandatory field missing.", key)
		}
	}
	if o.Quotas.Over(r.Project(), k.quota, 1) {
		return nil, front.Errorf(http.StatusForbidden, "Quota has been met for resources: %s", k.human)
	}
	if err := check(in); err != nil {
		return nil, err
	}
	t := &object{Base: state.Base{ID: state.NewID(), Project: r.Project()}, kind: k, attributes: maps.Clone(k.defaults), provisioning: "PENDING_CREATE", operating: "OFFLINE", balancer: balancer}
	t.attributes["admin_state_up"], t.attributes["tags"] = true, []any{}
	if k == members {
		t.operating = "NO_MONITOR"
	}
	if k != members {
		t.attributes["description"] = ""
	}
	return t, o.take(t, in)
}

// take takes the attributes that a request gives.
func (o *Octavia) take(t *object, in map[string]any) error {
	for key, value := range in {
		switch key {
		case "name":
			t.Name, _ = value.(string)
		case "project_id", "tenant_id", "loadbalancer_id", "listener_id", "pool_id", "listeners", "pools", "members", "healthmonitor", "default_pool", "redirect_pool":
		case "default_pool_id":
			t.pool, _ = value.(string)
		default:
			if _, ok := t.attributes[key]; !ok {
				return unknown(t.kind, key)
			}
			t.attributes[key] = value
		}
	}
	return nil
}

func (o *Octavia) create(r *front.Request, k *kind) (any, error) {
	in := map[string]any{}
	if err := r.Decode(k.key, &in); err != nil {
		return nil, err
	}
	if k == balancers {
		return o.createBalancer(r, in)
	}
	balancer, parent, err := o.above(r, k, in)
	if err != nil && k == members {
		return nowhere(), nil // a path that there is not
	}
	if err != nil {
		return nil, err
	}
	t, err := o.make(r, k, in, balancer)
	if err != nil {
		return nil, err
	}
	if err := o.place(t, in, parent); err != nil {
		return nil, err
	}
	if err := o.change(balancer, map[*object]string{t: "PENDING_CREATE"}, nil); err != nil {
		return nil, err
	}
	o.put(t)
	return map[string]any{k.key: o.view(t)}, nil
}

// above finds the load balancer that a new object is for, and its pool.
func (o *Octavia) above(r *front.Request, k *kind, in map[string]any) (balancer, parent string, err error) {
	var t *object
	switch k {
	case listeners:
		t, err = o.find(r, balancers, text(in, "loadbalancer_id"))
	case pools:
		if id := text(in, "listener_id"); id != "" {
			t, err = o.find(r, listeners, id)
		} else if id := text(in, "loadbalancer_id"); id != "" {
			t, err = o.find(r, balancers, id)
		} else {
			return "", "", invalid("Must provide at least one of: listener_id, loadbalancer_id")
		}
	case members:
		t, err = o.find(r, pools, r.PathValue("pool"))
	case monitors:
		t, err = o.find(r, pools, text(in, "pool_id"))
	}
	if err != nil {
		return "", "", err
	}
	if k == members || k == monitors {
		parent = t.ID
	}
	return t.balancer, parent, nil
}

// place checks a new object against those that are there.
func (o *Octavia) place(t *object, in map[string]any, parent string) error {
	t.parent = parent
	conflict := func(format string, args ...any) error { return front.Errorf(http.StatusConflict, format, args...) }
	switch t.kind {
	case listeners:
		for _, l := range o.of(listeners, func(l *object) bool { return l.balancer == t.balancer }) {
			if l.attributes["protocol_port"] == t.attributes["protocol_port"] && (l.attributes["protocol"] == "UDP") == (t.attributes["protocol"] == "UDP") {
				return conflict("Another Listener on this Load Balancer is already using protocol %v and protocol_port %v", t.attributes["protocol"], t.attributes["protocol_port"])
			}
		}
	case pools:
		t.listener = text(in, "listener_id")
		if l, ok := o.tables[listeners.key].Get(t.listener); ok && l.pool != "" {
			return conflict("This listener already has a default pool")
		}
	case members:
		for _, m := range o.of(members, func(m *object) bool { return m.parent == parent }) {
			if same(m, in) {
				return conflict("Another member on this pool is already using ip %v on protocol_port %v", in["address"], in["protocol_port"])
			}
		}
	case monitors:
		if len(o.of(monitors, func(m *object) bool { return m.parent == parent })) > 0 {
			return conflict("This pool already has a health monitor")
		}
	}
	return nil
}

func (o *Octavia) put(t *object) {
	o.tables[t.kind.key].Insert(t)
	if l, ok := o.tables[listeners.key].Get(t.listener); ok {
		l.pool = t.ID
	}
}

func (o *Octavia) createBalancer(r *front.Request, in map[string]any) (any, error) {
	if text(in, "vip_subnet_id") == "" && text(in, "vip_network_id") == "" && text(in, "vip_port_id") == "" {
		return nil, invalid("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
	}
	lb, err := o.make(r, balancers, in, "")
	if err != nil {
		return nil, err
	}
	lb.balancer = lb.ID
	if err := o.vip(r, lb); err != nil {
		return nil, err
	}
	parts, err := o.parts(r, lb, in)
	if err != nil {
		o.remove(lb)
		return nil, err
	}
	o.put(lb)
	for _, t := range parts {
		o.put(t)
	}
	o.state.After(o.Delay, func() {
		for _, t := range append(parts, lb) {
			if t.provisioning == "PENDING_CREATE" {
				t.provisioning, t.operating = "ACTIVE", "ONLINE"
			}
		}
	})
	v := o.view(lb)
	views := map[*kind][]any{listeners: {}, pools: {}}
	for _, t := range parts {
		views[t.kind] = append(views[t.kind], o.view(t))
	}
	v["listeners"], v["pools"] = views[listeners], views[pools]
	return map[string]any{balancers.key: v}, nil
}

// vip makes the port of a load balancer, or takes the one that is given.
func (o *Octavia) vip(r *front.Request, lb *object) error {
	a := lb.attributes
	if id := text(a, "vip_port_id"); id != "" {
		p, ok := o.neutron.Port(id, r.Project())
		if !ok {
			return front.Errorf(http.StatusBadRequest, "Port %s not found.", id)
		}
		a["vip_network_id"] = p.NetworkID
		if len(p.FixedIPs) > 0 {
			a["vip_address"], a["vip_subnet_id"] = p.FixedIPs[0].IPAddress, p.FixedIPs[0].SubnetID
		}
		return nil
	}
	network := text(a, "vip_network_id")
	if subnet := text(a, "vip_subnet_id"); subnet != "" {
		found, ok := o.neutron.NetworkOf(subnet)
		if !ok {
			return front.Errorf(http.StatusBadRequest, "Subnet %s not found.", subnet)
		}
		network = found
	}
	if _, ok := o.neutron.NetworkFor(network, r.Project()); !ok {
		return front.Errorf(http.StatusBadRequest, "Network %s not found.", network)
	}
	asked := neutron.NewPort(r.Project(), "octavia-lb-"+lb.ID, network, "lb-"+lb.ID, "Octavia", nil)
	if text(a, "vip_subnet_id") != "" || text(a, "vip_address") != "" {
		asked.FixedIPs = []neutron.FixedIP{{SubnetID: text(a, "vip_subnet_id"), IPAddress: text(a, "vip_address")}}
	}
	p, err := o.neutron.CreatePort(asked)
	if taken := (&front.Error{}); errors.As(err, &taken) && taken.Type == "IpAddressAlreadyAllocated" {
		return front.Errorf(http.StatusInternalServerError, "Provider 'amphora' reports error: %s Neutron server returns request_ids: ['']", taken.Message)
	}
	if err != nil {
		return err
	}
	p.AdminStateUp = false
	a["vip_port_id"], a["vip_network_id"] = p.ID, network
	if len(p.FixedIPs) > 0 {
		a["vip_address"], a["vip_subnet_id"] = p.FixedIPs[0].IPAddress, p.FixedIPs[0].SubnetID
	}
	return nil
}

// parts are the listeners, pools, members and monitors that come with a load balancer.
func (o *Octavia) parts(r *front.Request, lb *object, in map[string]any) ([]*object, error) {
	var made []*object
	add := func(k *kind, given map[string]any, parent string) (*object, error) {
		given["loadbalancer_id"], given["pool_id"] = lb.ID, parent
		t, err := o.make(r, k, given, lb.ID)
		if err == nil {
			t.parent = parent
			made = append(made, t)
		}
		return t, err
	}
	addPool := func(given map[string]any) (*object, error) {
		pool, err := add(pools, given, "")
		if err != nil {
			return nil, err
		}
		for _, m := range objects(given["members"]) {
			if _, err := add(members, m, pool.ID); err != nil {
				return nil, err
			}
		}
		if m, ok := given["healthmonitor"].(map[string]any); ok {
			if _, err := add(monitors, m, pool.ID); err != nil {
				return nil, err
			}
		}
		return pool, nil
	}
	for _, given := range objects(in["pools"]) {
		if _, err := addPool(given); err != nil {
			return nil, err
		}
	}
	for _, given := range objects(in["listeners"]) {
		l, err := add(listeners, given, "")
		if err != nil {
			return nil, err
		}
		if p, ok := given["default_pool"].(map[string]any); ok {
			pool, err := addPool(p)
			if err != nil {
				return nil, err
			}
			l.pool = pool.ID
		}
	}
	return made, nil
}

// objects are the objects of a list in JSON.
func objects(list any) []map[string]any {
	var found []map[string]any
	items, _ := list.([]any)
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			found = append(found, o)
		}
	}
	return found
}
