package front

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Fields is an object as JSON shows it.
func Fields(object any) map[string]any {
	data, err := json.Marshal(object)
	if err != nil {
		panic(err) // only our own types
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		panic(err)
	}
	return fields
}

// paging are the query parameters that are no filters.
var paging = []string{"limit", "marker", "sort_key", "sort_dir", "sort", "fields", "page_reverse", "all_tenants", "with_count", "offset"}

// Paging reports whether a query parameter is no filter.
func Paging(key string) bool { return slices.Contains(paging, key) }

// Filter keeps the objects whose fields are what the query says, but for what it is told
// to ignore; a parameter that is given more than once matches any of its values.
func Filter(objects []map[string]any, query url.Values, ignore ...string) []map[string]any {
	return slices.DeleteFunc(objects, func(object map[string]any) bool {
		for key, values := range query {
			if slices.Contains(paging, key) || slices.Contains(ignore, key) {
				continue
			}
			if !slices.ContainsFunc(values, func(v string) bool { return is(object[key], v) }) {
				return true
			}
		}
		return false
	})
}

func is(have any, want string) bool {
	switch v := have.(type) {
	case nil:
		return want == "" || strings.EqualFold(want, "null")
	case bool:
		parsed, err := strconv.ParseBool(want)
		return err == nil && parsed == v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64) == want
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return is(item, want) })
	default:
		// As MySQL compares, which clouds have below.
		return strings.EqualFold(fmt.Sprint(v), want)
	}
}

// Sort sorts objects by the query's sort_key and sort_dir; without them they stay.
func Sort(objects []map[string]any, query url.Values) {
	keys, dirs := query["sort_key"], query["sort_dir"]
	slices.SortStableFunc(objects, func(a, b map[string]any) int {
		for i, key := range keys {
			c := cmp.Compare(fmt.Sprint(a[key]), fmt.Sprint(b[key]))
			if i < len(dirs) && dirs[i] == "desc" {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

// Page is one page of objects by the query's limit and marker; next is the query of the
// page after it, or empty.
func Page(objects []map[string]any, query url.Values, most int, unknownMarker func(marker string) *Error) (page []map[string]any, next string, err error) {
	limit := most
	if given := query.Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 0 {
			return nil, "", Errorf(http.StatusBadRequest, "Invalid input for query parameters limit. Value: %s. '%s' does not match '^[0-9]*$'", given, given)
		}
		if n > 0 && (most == 0 || n < most) {
			limit = n
		}
	}
	if marker := query.Get("marker"); marker != "" {
		at := slices.IndexFunc(objects, func(o map[string]any) bool { return o["id"] == marker })
		if at < 0 {
			return nil, "", unknownMarker(marker)
		}
		objects = objects[at+1:]
	}
	if limit == 0 || len(objects) < limit {
		return objects, "", nil
	}
	page = objects[:limit]
	following := url.Values{}
	for k, v := range query {
		following[k] = v
	}
	following.Set("marker", fmt.Sprint(page[limit-1]["id"]))
	return page, following.Encode(), nil
}

// Select leaves only the fields that the query asks for.
func Select(objects []map[string]any, query url.Values) {
	wanted := query["fields"]
	if len(wanted) == 0 {
		return
	}
	for _, o := range objects {
		for key := range o {
			if !slices.Contains(wanted, key) {
				delete(o, key)
			}
		}
	}
}
