package kubernetes

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// exact are fields that are replaced as a whole, so that one key more is a difference.
var exact = map[string]bool{
	"selector": true, "podSelector": true, "namespaceSelector": true, "labelSelector": true, "nodeSelector": true,
}

// identifying are the fields by which the server tells the elements of a list apart, in
// the order in which they count.
var identifying = []string{"mountPath", "containerPort", "topologyKey", "port", "name"}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// difference compares what is wanted with what is there. What the server, or somebody
// else, has set that is not wanted either way is no difference. surplus are what is more
// in lists of ours: if somebody else has added it, an apply leaves it there.
func difference(want, live client.Object) (same bool, surplus []extra, err error) {
	w, err := content(want)
	if err != nil {
		return false, nil, err
	}
	l, err := content(live)
	if err != nil {
		return false, nil, err
	}
	same = holds(live.GetLabels(), want.GetLabels()) && holds(live.GetAnnotations(), want.GetAnnotations())
	return contains(w, l) && same, surplusOf(w, l, ""), nil
}

// content is an object without what is compared otherwise, or not at all.
func content(o client.Object) (map[string]any, error) {
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("comparing %T: %w", o, err)
	}
	for _, key := range []string{"apiVersion", "kind", "metadata", "status"} {
		delete(u, key)
	}
	return u, nil
}

func holds(all, some map[string]string) bool {
	for k, v := range some {
		if got, ok := all[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// contains reports whether there is everything that is wanted.
func contains(want, live any) bool {
	switch w := want.(type) {
	case nil:
		return true
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok && len(w) > 0 {
			return false
		}
		for k, v := range w {
			if exact[k] && !reflect.DeepEqual(v, l[k]) || !contains(v, l[k]) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		if !ok && len(w) > 0 || len(w) != len(l) {
			return false
		}
		for i := range w {
			if !contains(w[i], l[i]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(want, live)
	}
}

// extra is an element that is not wanted of a list, at a path, that is.
type extra struct {
	path  string
	index int
	list  []any
}

// surplusOf finds what is more, the last elements of a list first.
func surplusOf(want, live any, path string) []extra {
	var all []extra
	switch w := want.(type) {
	case map[string]any:
		l, _ := live.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(w)) {
			all = append(all, surplusOf(w[key], l[key], path+"/"+key)...)
		}
	case []any:
		l, _ := live.([]any)
		for i := len(l) - 1; i >= 0; i-- {
			switch j, known := find(w, l[i]); {
			case j >= 0:
				all = append(all, surplusOf(w[j], l[i], fmt.Sprintf("%s/%d", path, i))...)
			case known:
				all = append(all, extra{path: path, index: i, list: w})
			}
		}
	}
	return all
}

// removals remove the elements one by one, which leaves alone whose the others are.
func removals(surplus []extra) []operation {
	var all []operation
	for _, e := range surplus {
		all = append(all, operation{Op: "remove", Path: fmt.Sprintf("%s/%d", e.path, e.index)})
	}
	return all
}

// replacements make the lists what is wanted, in one step.
func replacements(surplus []extra) []operation {
	var all []operation
	done := map[string]bool{}
	for _, e := range surplus {
		if !done[e.path] {
			all = append(all, operation{Op: "replace", Path: e.path, Value: e.list})
			done[e.path] = true
		}
	}
	return all
}

// find looks for the element with the identity of another; known is false if that has
// none.
func find(list []any, element any) (index int, known bool) {
	e, ok := element.(map[string]any)
	if !ok {
		return -1, false
	}
	for _, field := range identifying {
		id, ok := e[field]
		if !ok {
			continue
		}
		return slices.IndexFunc(list, func(other any) bool {
			o, _ := other.(map[string]any)
			return o[field] == id
		}), true
	}
	return -1, false
}
