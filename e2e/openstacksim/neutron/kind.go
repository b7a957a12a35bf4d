package neutron

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// common is what every resource of Neutron has.
type common struct {
	state.Base
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	revision    int
}

func (c *common) base() *common { return c }

// row is a pointer to a resource.
type row[V any] interface {
	*V
	state.Row
	base() *common
}

// given is what a request says of a resource.
type given map[string]json.RawMessage

// kind is a kind of resource: all kinds are created, listed, changed and deleted alike.
type kind[V any, T row[V]] struct {
	n *Neutron
	// name and plural are its keys in bodies; path is where it is, if not at its plural.
	name, plural string
	path         string
	notFound     string // the name of the error
	says         string // its text, with the id
	table        *state.Table[T]
	// required, create and update are the attributes that a request has to or may give.
	required, create, update []string
	fresh                    func() T
	// prepare checks and completes a new one; change checks one that a request has changed.
	prepare func(r *front.Request, made T, g given) error
	change  func(r *front.Request, old, changed T, g given) error
	// remove checks, and removes what goes with it.
	remove func(T) error
	view   func(T, map[string]any)
	// private are attributes that only admins see.
	private []string
	// shared tells what others than the owner see too.
	shared func(T) bool
}

func (k *kind[V, T]) routes(s *front.Service) {
	path := k.at()
	s.Handle("GET", path, http.StatusOK, k.list)
	s.Handle("POST", path, http.StatusCreated, k.post)
	s.Handle("GET", path+"/{id}", http.StatusOK, k.get)
	s.Handle("PUT", path+"/{id}", http.StatusOK, k.put)
	s.Handle("DELETE", path+"/{id}", http.StatusNoContent, k.delete)
	k.tagRoutes(s)
}

// at is the path of all.
func (k *kind[V, T]) at() string { return "/" + cmp.Or(k.path, k.plural) }

func (k *kind[V, T]) sees(r *front.Request, t T) bool {
	return r.Caller.Admin || t.Meta().Project == r.Project() || (k.shared != nil && k.shared(t))
}

// find is the resource in the path, for the caller to see or, if a verb is given, to change.
func (k *kind[V, T]) find(r *front.Request, verb string) (T, error) {
	t, ok := k.table.Get(r.PathValue("id"))
	if !ok || !k.sees(r, t) {
		return nil, k.missing(r.PathValue("id"))
	}
	if verb != "" && t.Meta().Project != r.Project() && !r.Caller.Admin {
		return nil, refuse(http.StatusForbidden, "PolicyNotAuthorized", "rule:%s_%s is disallowed by policy", verb, k.name)
	}
	return t, nil
}

func (k *kind[V, T]) missing(id string) *front.Error {
	return refuse(http.StatusNotFound, k.notFound, k.says, id)
}

func (k *kind[V, T]) show(t T) map[string]any {
	v, b := front.Fields(t), t.base()
	v["id"], v["project_id"], v["tenant_id"] = b.ID, b.Project, b.Project
	v["created_at"], v["updated_at"] = b.Created.Format(time.RFC3339), b.Updated.Format(time.RFC3339)
	v["revision_number"] = float64(b.revision)
	if b.Tags == nil {
		v["tags"] = []any{}
	}
	k.view(t, v)
	return v
}

// shown is what a caller sees of a resource.
func (k *kind[V, T]) shown(r *front.Request, t T) map[string]any {
	v := k.show(t)
	if !r.Caller.Admin {
		for _, key := range k.private {
			delete(v, key)
		}
	}
	return v
}

// tagFilters are filters that are no attributes.
var tagFilters = []string{"tags", "tags-any", "not-tags", "not-tags-any"}

func (k *kind[V, T]) list(r *front.Request) (any, error) {
	q := r.URL.Query()
	known := k.show(k.fresh())
	for key := range q {
		_, ok := known[key]
		if !ok && !slices.Contains([]string{"limit", "marker", "sort_key", "sort_dir", "fields", "page_reverse"}, key) && !slices.Contains(tagFilters, key) {
			return nil, badRequest("['%s'] is invalid attribute for filtering", key)
		}
	}
	var views []map[string]any
	for _, t := range k.table.All() {
		if !k.sees(r, t) || !hasTags(t.base().Tags, q) {
			continue
		}
		if v := k.shown(r, t); hasAddress(v, q["fixed_ips"]) {
			views = append(views, v)
		}
	}
	views = front.Filter(views, q, append(tagFilters, "fixed_ips")...)
	front.Sort(views, q)
	page, next, err := front.Page(views, q, 0, func(string) *front.Error { return k.missing(q.Get("marker")) })
	if err != nil {
		return nil, err
	}
	body := map[string]any{k.plural: append([]map[string]any{}, page...)}
	var links []any
	at := r.Base() + "/network/v2.0" + k.at() + "?"
	if next != "" {
		links = append(links, map[string]any{"rel": "next", "href": at + next})
	}
	if q.Get("limit") != "" && len(page) > 0 {
		q.Set("marker", fmt.Sprint(page[0]["id"]))
		q.Set("page_reverse", "True")
		links = append(links, map[string]any{"rel": "previous", "href": at + q.Encode()})
	}
	if len(links) > 0 {
		body[k.plural+"_links"] = links
	}
	front.Select(page, q)
	return body, nil
}

func (k *kind[V, T]) get(r *front.Request) (any, error) {
	t, err := k.find(r, "")
	if err != nil {
		return nil, err
	}
	v := k.shown(r, t)
	front.Select([]map[string]any{v}, r.URL.Query())
	return map[string]any{k.name: v}, nil
}
