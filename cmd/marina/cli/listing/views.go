package listing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/marina-dev/marina/cmd/marina/cli/output"
)

// view is a form in which objects are read and printed.
type view interface {
	// accept is the form that the server is asked for.
	accept() string
	// show prints the objects named, or all, and returns how many there were and
	// from which resource version on to watch.
	show(ctx context.Context, r *reader, names []string) (count int, resourceVersion string, err error)
	// event prints one change.
	event(metav1.WatchEvent) error
}

// tableView prints the server's tables.
type tableView struct {
	printer printers.ResourcePrinter
	// out is one tab writer for all tables: it remembers the widths of columns, so
	// that what a watch adds stays below what stands there already.
	out interface {
		io.Writer
		Flush() error
	}
	newestLast bool
}

func newTableView(out io.Writer, wide, withNamespace, noHeaders, newestLast bool) *tableView {
	return &tableView{
		newestLast: newestLast,
		printer:    printers.NewTablePrinter(printers.PrintOptions{Wide: wide, WithNamespace: withNamespace, NoHeaders: noHeaders}),
		out:        printers.GetNewTabWriter(out),
	}
}

func (v *tableView) accept() string { return acceptTable }

func (v *tableView) show(ctx context.Context, r *reader, names []string) (int, string, error) {
	table := &metav1.Table{}
	var errs []error
	if len(names) == 0 {
		if err := r.list(ctx, table); err != nil {
			return 0, "", err
		}
	}
	for _, name := range names {
		one := &metav1.Table{}
		if err := r.get(ctx, name, one); err != nil {
			errs = append(errs, err)
			continue
		}
		table.ColumnDefinitions = one.ColumnDefinitions
		table.Rows = append(table.Rows, one.Rows...)
	}
	if len(table.Rows) == 0 && len(errs) > 0 {
		return 0, "", errors.Join(errs...)
	}
	if v.newestLast {
		slices.SortStableFunc(table.Rows, func(a, b metav1.TableRow) int {
			return byAge(a.Object.Object.(*unstructured.Unstructured), b.Object.Object.(*unstructured.Unstructured))
		})
	}
	err := v.print(table)
	return len(table.Rows), table.ResourceVersion, errors.Join(append(errs, err)...)
}

func (v *tableView) event(event metav1.WatchEvent) error {
	table := &metav1.Table{}
	if err := decode(event.Object.Raw, nil, table); err != nil {
		return err
	}
	return v.print(table)
}

func (v *tableView) print(table *metav1.Table) error {
	if err := v.printer.PrintObj(table, v.out); err != nil {
		return err
	}
	return v.out.Flush()
}

// objectView prints whole objects, or their names.
type objectView struct {
	out      io.Writer
	format   string
	resource string // what -o name prints before the slash
	// single prints each object by itself, as a watch must: it has no end at which
	// a list could be closed.
	single     bool
	newestLast bool
}

func (v *objectView) accept() string { return acceptObject }

func (v *objectView) show(ctx context.Context, r *reader, names []string) (int, string, error) {
	list := &unstructured.UnstructuredList{}
	var errs []error
	if len(names) == 0 {
		if err := r.list(ctx, list); err != nil {
			return 0, "", err
		}
	}
	for _, name := range names {
		one := &unstructured.Unstructured{}
		if err := r.get(ctx, name, one); err != nil {
			errs = append(errs, err)
			continue
		}
		list.Items = append(list.Items, *one)
	}
	if len(list.Items) == 0 && len(errs) > 0 {
		return 0, "", errors.Join(errs...)
	}
	if v.newestLast {
		slices.SortStableFunc(list.Items, func(a, b unstructured.Unstructured) int { return byAge(&a, &b) })
	}
	err := v.print(list.Items, len(names) == 1)
	return len(list.Items), list.GetResourceVersion(), errors.Join(append(errs, err)...)
}

func (v *objectView) print(items []unstructured.Unstructured, one bool) error {
	if !one && !v.single {
		return output.List(v.out, v.format, v.resource, items)
	}
	for i := range items {
		if err := output.Object(v.out, v.format, v.resource, &items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v *objectView) event(event metav1.WatchEvent) error {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(event.Object.Raw, object); err != nil {
		return err
	}
	return output.Object(v.out, v.format, v.resource, object)
}

func byAge(a, b *unstructured.Unstructured) int {
	return a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time)
}

// versionOf is the resource version of the object in an event, be it the object or
// a table with one row.
func versionOf(event metav1.WatchEvent, before string) string {
	var object struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Rows     []struct {
			Object struct {
				Metadata metav1.ObjectMeta `json:"metadata"`
			} `json:"object"`
		} `json:"rows"`
	}
	if json.Unmarshal(event.Object.Raw, &object) != nil {
		return before
	}
	if len(object.Rows) > 0 {
		return cmp.Or(object.Rows[0].Object.Metadata.ResourceVersion, before)
	}
	return cmp.Or(object.Metadata.ResourceVersion, before)
}

func isExpired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }
