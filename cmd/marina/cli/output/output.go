// Package output prints objects in kubectl's formats.
package output

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
)

// Formats of -o.
const (
	YAML = "yaml"
	JSON = "json"
	Name = "name"
	Wide = "wide"
)

// Check refuses a value of -o that is none of the allowed ones; empty is allowed.
func Check(format string, allowed ...string) error {
	if format == "" || slices.Contains(allowed, format) {
		return nil
	}
	choice := strings.Join(allowed, ", ")
	if len(allowed) > 1 {
		choice = "one of " + choice
	}
	return fmt.Errorf("-o: unknown format %q: choose %s", format, choice)
}

// Object prints one object as YAML, JSON or resource/name.
func Object(w io.Writer, format, resource string, u *unstructured.Unstructured) error {
	switch format {
	case Name:
		_, err := fmt.Fprintf(w, "%s/%s\n", resource, u.GetName())
		return err
	case JSON:
		return withoutManagedFields(&printers.JSONPrinter{}).PrintObj(u, w)
	case YAML:
		return withoutManagedFields(&printers.YAMLPrinter{}).PrintObj(u, w)
	default:
		return fmt.Errorf("unknown format %q", format)
	}
}

// List prints objects as one List, or their names one a line.
func List(w io.Writer, format, resource string, items []unstructured.Unstructured) error {
	if format == Name {
		for i := range items {
			if err := Object(w, format, resource, &items[i]); err != nil {
				return err
			}
		}
		return nil
	}
	list := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{}}}
	for _, item := range items {
		item.SetManagedFields(nil)
		list.Object["items"] = append(list.Object["items"].([]any), item.Object)
	}
	return Object(w, format, resource, list)
}

// Manifest is obj as a person would write it: without the empty objects that Go's
// encoding leaves for structs.
func Manifest(obj runtime.Object, scheme *runtime.Scheme) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: prune(fields)}
	kinds, _, err := scheme.ObjectKinds(obj)
	if err != nil {
		return nil, err
	}
	u.SetGroupVersionKind(kinds[0])
	return u, nil
}

func prune(fields map[string]any) map[string]any {
	for name, value := range fields {
		child, isObject := value.(map[string]any)
		if isObject && len(prune(child)) == 0 {
			delete(fields, name)
		}
	}
	return fields
}

// withoutManagedFields hides, as kubectl does, what only servers read.
func withoutManagedFields(p printers.ResourcePrinter) printers.ResourcePrinter {
	return &printers.OmitManagedFieldsPrinter{Delegate: p}
}
