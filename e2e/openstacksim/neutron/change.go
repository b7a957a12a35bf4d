package neutron

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// post makes one, or several that are given as a list: all or none.
func (k *kind[V, T]) post(r *front.Request) (any, error) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return nil, badRequest("Body contains invalid data")
	}
	if one, ok := body[k.name]; ok {
		t, err := k.make(r, one)
		if err != nil {
			return nil, err
		}
		return map[string]any{k.name: k.shown(r, t)}, nil
	}
	var many []json.RawMessage
	if err := json.Unmarshal(body[k.plural], &many); err != nil {
		return nil, badRequest("Unable to find '%s' in request body", k.name)
	}
	var made []T
	views := []any{}
	for _, one := range many {
		t, err := k.make(r, one)
		if err != nil {
			for _, t := range made {
				_ = k.remove(t)
				k.table.Delete(t.Meta().ID)
			}
			return nil, err
		}
		made = append(made, t)
		views = append(views, k.shown(r, t))
	}
	return map[string]any{k.plural: views}, nil
}

func (k *kind[V, T]) make(r *front.Request, body json.RawMessage) (T, error) {
	var g given
	if err := json.Unmarshal(body, &g); err != nil {
		return nil, badRequest("Invalid input for %s. Reason: '%s' is not a dictionary.", k.name, body)
	}
	for _, attribute := range k.required {
		if _, ok := g[attribute]; !ok {
			return nil, badRequest("Failed to parse request. Required attribute '%s' not specified", attribute)
		}
	}
	t := k.fresh()
	t.Meta().Project = r.Project()
	for _, key := range []string{"project_id", "tenant_id"} {
		if raw, ok := g[key]; ok {
			var owner string
			if err := json.Unmarshal(raw, &owner); err != nil || (owner != r.Project() && !r.Caller.Admin) {
				return nil, badRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc privileges")
			}
			t.Meta().Project = owner
			delete(g, key)
		}
	}
	if err := k.take(t, g, k.create, "Attribute '%s' not allowed in POST"); err != nil {
		return nil, err
	}
	if err := k.n.checkQuota(t.Meta().Project, k.name, 1); err != nil {
		return nil, err
	}
	if err := k.prepare(r, t, g); err != nil {
		return nil, err
	}
	k.insert(t)
	return t, nil
}

func (k *kind[V, T]) insert(t T) T {
	t.base().revision = 1
	return k.table.Insert(t)
}

// take reads the given attributes into a resource.
func (k *kind[V, T]) take(t T, g given, allowed []string, not string) error {
	known := k.show(k.fresh())
	for key, value := range g {
		if !slices.Contains(allowed, key) {
			if _, ours := known[key]; ours {
				return badRequest(not, key)
			}
			return badRequest("Unrecognized attribute(s) '%s'", key)
		}
		if key == "name" && len(value) > 255+len(`""`) {
			return badRequest("Invalid input for name. Reason: '%s' exceeds maximum length of 255.", strings.Trim(string(value), `"`))
		}
		one, err := json.Marshal(given{key: value})
		if err == nil {
			err = json.Unmarshal(one, t)
		}
		if err != nil {
			return badRequest("Invalid input for %s. Reason: '%s' is not valid.", key, strings.Trim(string(value), `"`))
		}
	}
	return nil
}

func (k *kind[V, T]) put(r *front.Request) (any, error) {
	t, err := k.find(r, "update")
	if err != nil {
		return nil, err
	}
	g, err := r.Keys(k.name)
	if err != nil {
		return nil, badRequest("Unable to find '%s' in request body", k.name)
	}
	changed, err := k.without(t, given(g))
	if err != nil {
		return nil, err
	}
	if err := k.take(changed, given(g), k.update, "Cannot update read-only attribute %s"); err != nil {
		return nil, err
	}
	if err := k.change(r, t, changed, given(g)); err != nil {
		return nil, err
	}
	*t = *changed
	k.touch(t)
	return map[string]any{k.name: k.shown(r, t)}, nil
}

// without is a copy of a resource that shares nothing with it and lacks what a request is
// about to set. All that a resource has of its own is in its JSON.
func (k *kind[V, T]) without(t T, g given) (T, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	var all given
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for key := range g {
		delete(all, key)
	}
	if data, err = json.Marshal(all); err != nil {
		return nil, err
	}
	c := T(new(V))
	if err := json.Unmarshal(data, c); err != nil {
		return nil, err
	}
	*c.base() = *t.base()
	return c, nil
}

func (k *kind[V, T]) touch(t T) {
	t.base().revision++
	k.table.Touch(t)
}

func (k *kind[V, T]) delete(r *front.Request) (any, error) {
	t, err := k.find(r, "delete")
	if err != nil {
		return nil, err
	}
	if err := k.remove(t); err != nil {
		return nil, err
	}
	k.table.Delete(t.Meta().ID)
	return nil, nil
}
