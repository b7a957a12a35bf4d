package neutron

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

func (k *kind[V, T]) tagRoutes(s *front.Service) {
	path := k.at() + "/{id}/tags"
	tags := func(t T) any { return map[string]any{"tags": append([]string{}, t.base().Tags...)} }
	s.Handle("GET", path, http.StatusOK, func(r *front.Request) (any, error) {
		t, err := k.find(r, "")
		if err != nil {
			return nil, err
		}
		return tags(t), nil
	})
	s.Handle("PUT", path, http.StatusOK, func(r *front.Request) (any, error) {
		t, err := k.find(r, "update")
		if err != nil {
			return nil, err
		}
		var in []string
		if err := r.Decode("tags", &in); err != nil {
			return nil, err
		}
		t.base().Tags = in
		k.touch(t)
		return tags(t), nil
	})
	s.Handle("DELETE", path, http.StatusNoContent, func(r *front.Request) (any, error) {
		t, err := k.find(r, "update")
		if err == nil {
			t.base().Tags = nil
			k.touch(t)
		}
		return nil, err
	})
	s.Handle("GET", path+"/{tag}", http.StatusNoContent, func(r *front.Request) (any, error) {
		t, err := k.find(r, "")
		if err == nil && !slices.Contains(t.base().Tags, r.PathValue("tag")) {
			return nil, noTag(r)
		}
		return nil, err
	})
	s.Handle("PUT", path+"/{tag}", http.StatusCreated, func(r *front.Request) (any, error) {
		t, err := k.find(r, "update")
		if err == nil && !slices.Contains(t.base().Tags, r.PathValue("tag")) {
			t.base().Tags = append(slices.Clone(t.base().Tags), r.PathValue("tag"))
			k.touch(t)
		}
		return nil, err
	})
	s.Handle("DELETE", path+"/{tag}", http.StatusNoContent, func(r *front.Request) (any, error) {
		t, err := k.find(r, "update")
		if err != nil {
			return nil, err
		}
		at := slices.Index(t.base().Tags, r.PathValue("tag"))
		if at < 0 {
			return nil, noTag(r)
		}
		t.base().Tags = slices.Delete(slices.Clone(t.base().Tags), at, at+1)
		k.touch(t)
		return nil, nil
	})
}

func noTag(r *front.Request) error {
	return refuse(http.StatusNotFound, "TagNotFound", "Tag %s could not be found.", r.PathValue("tag"))
}

// hasTags reports whether tags are what the query's filters ask for.
func hasTags(tags []string, q url.Values) bool {
	has := func(tag string) bool { return slices.Contains(tags, tag) }
	for _, filter := range tagFilters {
		if q.Get(filter) == "" {
			continue
		}
		asked := strings.Split(q.Get(filter), ",")
		any := slices.ContainsFunc(asked, has)
		all := !slices.ContainsFunc(asked, func(tag string) bool { return !has(tag) })
		if ok := map[string]bool{"tags": all, "tags-any": any, "not-tags": !all, "not-tags-any": !any}[filter]; !ok {
			return false
		}
	}
	return true
}

// hasAddress reports whether a port has one of the asked addresses, which are written as
// "subnet_id=..." or "ip_address=...".
func hasAddress(view map[string]any, asked []string) bool {
	if len(asked) == 0 {
		return true
	}
	fixed, _ := view["fixed_ips"].([]any)
	return slices.ContainsFunc(asked, func(want string) bool {
		key, value, _ := strings.Cut(want, "=")
		return slices.ContainsFunc(fixed, func(ip any) bool {
			have, _ := ip.(map[string]any)
			return fmt.Sprint(have[key]) == value
		})
	})
}
