package octavia

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

func (o *Octavia) routes(s *front.Service) {
	s.Open("GET", "/load-balancer", "/", http.StatusOK, func(r *front.Request) (any, error) {
		var all []any
		for id, status := range map[string]string{"v2.0": "SUPPORTED", "v2.26": "CURRENT"} {
			all = append(all, map[string]any{"id": id, "status": status, "links": []any{map[string]any{"rel": "self", "href": r.Base() + "/load-balancer/v2"}}})
		}
		return map[string]any{"versions": all}, nil
	})
	for _, k := range kinds {
		path := "/lbaas/" + k.plural
		if k == members {
			path = "/lbaas/pools/{pool}/members"
		}
		s.Handle("GET", path, http.StatusOK, func(r *front.Request) (any, error) { return o.list(r, k) })
		s.Handle("POST", path, http.StatusCreated, func(r *front.Request) (any, error) { return o.create(r, k) })
		s.Handle("GET", path+"/{id}", http.StatusOK, func(r *front.Request) (any, error) {
			t, err := o.found(r, k)
			if err != nil {
				return nil, err
			}
			return map[string]any{k.key: o.view(t)}, nil
		})
		s.Handle("PUT", path+"/{id}", http.StatusOK, func(r *front.Request) (any, error) { return o.update(r, k) })
		s.Handle("DELETE", path+"/{id}", http.StatusNoContent, func(r *front.Request) (any, error) { return o.delete(r, k) })
	}
	s.Handle("PUT", "/lbaas/pools/{pool}/members", http.StatusAccepted, o.setMembers)
	s.Handle("GET", "/lbaas/loadbalancers/{id}/status", http.StatusOK, func(r *front.Request) (any, error) {
		t, err := o.found(r, balancers)
		if err != nil {
			return nil, err
		}
		v := o.view(t)
		status := map[string]any{}
		for _, key := range []string{"id", "name", "listeners", "operating_status", "provisioning_status"} {
			status[key] = v[key]
		}
		return map[string]any{"statuses": map[string]any{"loadbalancer": status}}, nil
	})
	s.Handle("GET", "/lbaas/providers", http.StatusOK, func(*front.Request) (any, error) {
		return map[string]any{"providers": []any{
			map[string]any{"name": "amphora", "description": "The Octavia Amphora driver."},
			map[string]any{"name": "octavia", "description": "Deprecated alias of the Octavia Amphora driver."},
		}}, nil
	})
	s.Handle("GET", "/lbaas/quotas/{project}", http.StatusOK, func(r *front.Request) (any, error) {
		if r.PathValue("project") != r.Project() && !r.Caller.Admin {
			return nil, front.Errorf(http.StatusForbidden, "Policy does not allow this request to be performed.")
		}
		limits := o.Quotas.Limits(r.PathValue("project"))
		return map[string]any{"quota": limits}, nil
	})
	s.Handle("PUT", "/lbaas/quotas/{project}", http.StatusAccepted, o.setQuotas)
}

func (o *Octavia) setQuotas(r *front.Request) (any, error) {
	if !r.Caller.Admin {
		return nil, front.Errorf(http.StatusForbidden, "Policy does not allow this request to be performed.")
	}
	keys, err := r.Keys("quota")
	if err != nil {
		return nil, err
	}
	for key, value := range keys {
		var limit int
		if key == "loadbalancer" {
			key = balancers.quota // as older clients call it
		}
		if o.Quotas.Known(key) && json.Unmarshal(value, &limit) == nil {
			o.Quotas.Set(r.PathValue("project"), key, limit)
		}
	}
	return map[string]any{"quota": o.Quotas.Limits(r.PathValue("project"))}, nil
}

// found is the object in the path.
func (o *Octavia) found(r *front.Request, k *kind) (*object, error) {
	t, err := o.find(r, k, r.PathValue("id"))
	if err == nil && k == members && t.parent != r.PathValue("pool") {
		return nil, front.Errorf(http.StatusNotFound, "%s %s not found.", k.human, r.PathValue("id"))
	}
	return t, err
}

func (o *Octavia) list(r *front.Request, k *kind) (any, error) {
	q := r.URL.Query()
	if k == members {
		if _, err := o.find(r, pools, r.PathValue("pool")); err != nil {
			return nil, err
		}
	}
	views := []map[string]any{}
	for _, t := range o.tables[k.key].All() {
		if (t.Project == r.Project() || r.Caller.Admin) && (k != members || t.parent == r.PathValue("pool")) && tagged(t, q["tags"]) {
			v := o.view(t)
			v["loadbalancer_id"], v["pool_id"] = t.balancer, t.parent // filters of listeners, pools and monitors
			views = append(views, v)
		}
	}
	for key := range q {
		if known := append([]string{"tags", "loadbalancer_id", "listener_id", "pool_id", "not-tags", "tags-any", "not-tags-any"}, slices.Collect(maps.Keys(o.view(&object{kind: k, attributes: k.defaults})))...); !front.Paging(key) && !has(known, key) && !has([]string{"name", "description", "admin_state_up"}, key) {
			return nil, front.Errorf(http.StatusBadRequest, "One or more arguments are either duplicate or invalid")
		}
	}
	views = front.Filter(views, q, "tags")
	front.Sort(views, q)
	page, next, err := front.Page(views, q, 1000, func(m string) *front.Error {
		return front.Errorf(http.StatusBadRequest, "Invalid marker %s", m)
	})
	if err != nil {
		return nil, err
	}
	for _, v := range page {
		delete(v, "loadbalancer_id")
		delete(v, "pool_id")
	}
	body := map[string]any{k.plural: page, k.plural + "_links": []any{}}
	if next != "" {
		body[k.plural+"_links"] = []any{map[string]any{"rel": "next", "href": r.Base() + r.URL.Path + "?" + next}}
	}
	return body, nil
}

// tagged reports whether an object has all tags.
func tagged(t *object, tags []string) bool {
	have, _ := t.attributes["tags"].([]any)
	return !slices.ContainsFunc(tags, func(tag string) bool { return !slices.Contains(have, any(tag)) })
}

func (o *Octavia) update(r *front.Request, k *kind) (any, error) {
	t, err := o.found(r, k)
	if err != nil {
		return nil, err
	}
	in := map[string]any{}
	if err := r.Decode(k.key, &in); err != nil {
		return nil, err
	}
	for key := range in {
		if has(k.fixed, key) {
			return nil, unknown(k, key)
		}
	}
	if k == balancers && strings.HasPrefix(t.provisioning, "PENDING_") {
		return nil, front.Errorf(http.StatusConflict, "Invalid state %s of loadbalancer resource %s", t.provisioning, t.ID)
	}
	before := *t
	t.attributes = maps.Clone(t.attributes)
	if err = o.take(t, in); err == nil {
		err = o.change(t.balancer, map[*object]string{t: "PENDING_UPDATE"}, nil)
	}
	if err != nil {
		*t = before
		return nil, err
	}
	return map[string]any{k.key: o.view(t)}, nil
}

func (o *Octavia) delete(r *front.Request, k *kind) (any, error) {
	t, err := o.found(r, k)
	if err != nil {
		return nil, err
	}
	if k != balancers {
		return nil, o.change(t.balancer, map[*object]string{t: "PENDING_DELETE"}, func() { o.remove(t) })
	}
	v := o.view(t)
	if !r.Flag("cascade") && len(v["listeners"].([]any))+len(v["pools"].([]any)) > 0 {
		return nil, invalid("Cannot delete Load Balancer %s - it has children", t.ID)
	}
	if strings.HasPrefix(t.provisioning, "PENDING_") {
		return nil, front.Errorf(http.StatusConflict, "Invalid state %s of loadbalancer resource %s", t.provisioning, t.ID)
	}
	t.provisioning = "PENDING_DELETE"
	o.state.After(o.Delay, func() { o.remove(t) })
	return nil, nil
}

// setMembers replaces the members of a pool, or adds to them.
func (o *Octavia) setMembers(r *front.Request) (any, error) {
	pool, err := o.find(r, pools, r.PathValue("pool"))
	if err != nil {
		return nil, err
	}
	var in []map[string]any
	if err := r.Decode("members", &in); err != nil {
		return nil, err
	}
	old := o.of(members, func(m *object) bool { return m.parent == pool.ID })
	pending, keep := map[*object]string{}, map[*object]bool{}
	var fresh []*object
	for _, given := range in {
		at := slices.IndexFunc(old, func(m *object) bool { return same(m, given) })
		if at >= 0 {
			keep[old[at]], pending[old[at]] = true, "PENDING_UPDATE"
			continue
		}
		t, err := o.make(r, members, given, pool.balancer)
		if err != nil {
			return nil, err
		}
		t.parent = pool.ID
		fresh = append(fresh, t)
		pending[t] = "PENDING_CREATE"
	}
	var gone []*object
	for _, m := range old {
		if !keep[m] && !r.Flag("additive_only") {
			gone = append(gone, m)
			pending[m] = "PENDING_DELETE"
		}
	}
	err = o.change(pool.balancer, pending, func() {
		for _, m := range gone {
			o.remove(m)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, given := range in {
		for m := range keep {
			if same(m, given) {
				_ = o.take(m, given)
			}
		}
	}
	for _, t := range fresh {
		o.tables[members.key].Insert(t)
	}
	return nil, nil
}

// same reports whether a member has a given address and port.
func same(m *object, given map[string]any) bool {
	port := func(v any) string { data, _ := json.Marshal(v); return string(data) }
	return m.attributes["address"] == given["address"] && port(m.attributes["protocol_port"]) == port(given["protocol_port"])
}
