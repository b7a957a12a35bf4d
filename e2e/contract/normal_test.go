package contract

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// What differs from one run to the next, and what stands for it. Addresses that steps ask for
// are in 10.77.0.0/16, and stay.
var passing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "{request}"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "{uuid}"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "{hex}"},
	{regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`), "{mac}"},
	// All of a schema is no fact.
	{regexp.MustCompile(` Failed validating '.*`), ""},
	// Sets of Python have no order.
	{regexp.MustCompile(`(Value should be one of: ).*`), "${1}…"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?`), "{time}"},
}

var address = regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}\b`)

// normal is a text without what differs from one run to the next. names are those that stand
// for values, by the values.
func normal(text string, names map[string]string) string {
	known := make([]string, 0, len(names))
	for value := range names {
		known = append(known, value)
	}
	// The longest first: one may be a part of another.
	slices.SortFunc(known, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	for _, value := range known {
		text = strings.ReplaceAll(text, value, "{"+names[value]+"}")
	}
	for _, p := range passing {
		text = p.pattern.ReplaceAllString(text, p.with)
	}
	return address.ReplaceAllStringFunc(text, func(a string) string {
		if strings.HasPrefix(a, "10.77.") || strings.HasPrefix(a, "10.0.") || strings.HasPrefix(a, "0.0.") || strings.HasPrefix(a, "192.0.2.") {
			return a
		}
		return "{address}"
	})
}

// at is what is at a path in a document: keys and numbers with slashes between them; "*" goes
// through a list, "#" is its length, "@keys" are the keys of an object.
func at(document any, path string) (any, bool) {
	first, rest, more := strings.Cut(path, "/")
	var next any
	switch d := document.(type) {
	case map[string]any:
		if first == "@keys" {
			keys := make([]string, 0, len(d))
			for k := range d {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			return strings.Join(keys, " "), true
		}
		v, ok := d[first]
		if !ok {
			return nil, false
		}
		next = v
	case []any:
		if first == "#" {
			return float64(len(d)), true
		}
		if first == "*" {
			all := []any{}
			for _, one := range d {
				v, ok := one, true
				if more {
					v, ok = at(one, rest)
				}
				if ok {
					all = append(all, v)
				}
			}
			return all, true
		}
		i, err := strconv.Atoi(first)
		if err != nil || i < 0 || i >= len(d) {
			return nil, false
		}
		next = d[i]
	default:
		return nil, false
	}
	if !more {
		return next, true
	}
	return at(next, rest)
}

// shown is a value as facts show it.
func shown(v any, ok bool) string {
	if !ok {
		return "(absent)"
	}
	if s, is := v.(string); is {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// shape is how an object is made up, to the second level.
func shape(document any) string {
	object, ok := document.(map[string]any)
	if !ok {
		return fmt.Sprintf("%T", document)
	}
	var parts []string
	for key, value := range object {
		if inner, ok := value.(map[string]any); ok {
			keys, _ := at(inner, "@keys")
			key += "{" + keys.(string) + "}"
		}
		parts = append(parts, key)
	}
	sort.Strings(parts)
	return strings.Join(parts, " ")
}
