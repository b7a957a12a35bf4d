// Package listing shows objects of a kind as kubectl does: in the columns that the
// server gives, or whole, once or with each change.
package listing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
)

// Kind is a kind of objects.
type Kind struct {
	// Singular and Plural name the kind in sentences, Plural in paths of the API too.
	Singular, Plural string
	// Resource is what kubectl calls one of them, in -o name.
	Resource string
	// Missing is the error when there is none of a name.
	Missing func(client.ObjectKey) *failure.Error
	// ClusterScoped is of kinds whose objects are in no namespace.
	ClusterScoped bool
}

// Options are the flags.
type Options struct {
	AllNamespaces, Watch bool

	noHeaders bool
	output    string
}

// AddFlags defines the flags.
func (o *Options) AddFlags(cmd *cobra.Command, kind Kind) {
	if !kind.ClusterScoped {
		cmd.Flags().BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, kind.Plural+" of all namespaces")
	}
	cmd.Flags().BoolVarP(&o.Watch, "watch", "w", false, "go on and show changes")
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "leave the table's head out")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "wide, yaml, json or name")
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.Wide, output.YAML, output.JSON, output.Name))
}

// Check refuses an unknown format, and names that cannot be chosen.
func (o *Options) Check(cmd *cobra.Command, kind Kind, names []string) error {
	if err := output.Check(o.output, output.Wide, output.YAML, output.JSON, output.Name); err != nil {
		return failure.Usage(cmd.CommandPath(), "%v", err)
	}
	if o.AllNamespaces && len(names) > 0 {
		return failure.Usage(cmd.CommandPath(), "a %s cannot be chosen by name from all namespaces: use -n in place of -A", kind.Singular)
	}
	if o.Watch && len(names) > 1 {
		return failure.Usage(cmd.CommandPath(), "--watch takes one name, or none for all %s", kind.Plural)
	}
	return nil
}

// Query is what to show of a kind.
type Query struct {
	Kind Kind
	// Names are objects, each of which must exist; none means all. Only one can be
	// watched.
	Names []string
	// Fields limits all of them to some.
	Fields fields.Selector
	// Of says in a sentence what Fields limits them to: of cluster "a".
	Of string
	// NewestLast sorts by age instead of by name.
	NewestLast bool
}

// Show prints what is asked for; with --watch until the context ends.
func (o *Options) Show(ctx context.Context, cmd *cobra.Command, s *session.Session, q Query, clock clock.Clock) error {
	v := o.view(cmd.OutOrStdout(), q)
	r, err := newReader(s, q.Kind, v.accept(), o.AllNamespaces)
	if err != nil {
		return err
	}
	r.selector = q.Fields
	if o.Watch {
		return follow(ctx, r, v, q.Names, clock)
	}
	count, _, err := v.show(ctx, r, q.Names)
	if err != nil {
		return err
	}
	if count == 0 && o.asTable() {
		fmt.Fprintln(cmd.ErrOrStderr(), o.nothing(s, q))
	}
	return nil
}

func (o *Options) asTable() bool { return o.output == "" || o.output == output.Wide }

func (o *Options) view(out io.Writer, q Query) view {
	if o.asTable() {
		return newTableView(out, o.output == output.Wide, o.AllNamespaces, o.noHeaders, q.NewestLast)
	}
	return &objectView{out: out, format: o.output, resource: q.Kind.Resource, single: o.Watch, newestLast: q.NewestLast}
}

// nothing is kubectl's sentence for an empty table.
func (o *Options) nothing(s *session.Session, q Query) string {
	what := strings.TrimSpace(q.Kind.Plural + " " + q.Of)
	if o.AllNamespaces || q.Kind.ClusterScoped {
		return fmt.Sprintf("No %s found", what)
	}
	return fmt.Sprintf("No %s found in %s namespace.", what, s.Namespace)
}

// follow prints what there is and then changes, until the context ends. The server
// ends a watch now and then; it is made anew from the last change that was seen.
func follow(ctx context.Context, r *reader, v view, names []string, clock clock.Clock) error {
	if len(names) == 1 {
		r.selector = fields.OneTermEqualSelector(metav1.ObjectNameField, names[0])
	}
	count, version, err := v.show(ctx, r, nil)
	if err == nil && count == 0 && len(names) == 1 {
		return r.kind.Missing(client.ObjectKey{Namespace: r.namespace, Name: names[0]})
	}
	// It goes on until somebody stops it, which is no failure then.
	for err == nil && ctx.Err() == nil {
		err = r.watch(ctx, version, func(event metav1.WatchEvent) error {
			version = versionOf(event, version)
			return v.event(event)
		})
		if isExpired(err) {
			// What happened in between is lost: show everything again.
			_, version, err = v.show(ctx, r, nil)
		}
		if err == nil {
			select {
			case <-ctx.Done():
			case <-clock.After(waiting.Again):
			}
		}
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
