package clusters

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

type getOptions struct {
	allNamespaces bool
	watch         bool
	noHeaders     bool
	output        string
	clock         clock.Clock
}

func newGet(open session.Opener, clock clock.Clock) *cobra.Command {
	o := &getOptions{clock: clock}
	cmd := &cobra.Command{
		Use:     "get [NAME...]",
		Aliases: []string{"list", "ls"},
		Short:   "Show clusters",
		Long: `Show all clusters of a namespace, or those named.

The columns are those of 'kubectl get clusters'.`,
		Example: `  marina cluster list -A
  marina cluster get demo -o yaml
  marina cluster get -w`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd, args); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd, s, args)
		},
		ValidArgsFunction: session.CompleteClusters(open, 0),
	}
	cmd.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "clusters of all namespaces")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "go on and show changes")
	cmd.Flags().BoolVar(&o.noHeaders, "no-headers", false, "leave the table's head out")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "wide, yaml, json or name")
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.Wide, output.YAML, output.JSON, output.Name))
	return cmd
}

func (o *getOptions) check(cmd *cobra.Command, names []string) error {
	if err := output.Check(o.output, output.Wide, output.YAML, output.JSON, output.Name); err != nil {
		return failure.Usage(cmd.CommandPath(), "%v", err)
	}
	if o.allNamespaces && len(names) > 0 {
		return failure.Usage(cmd.CommandPath(), "a cluster cannot be chosen by name from all namespaces: use -n in place of -A")
	}
	if o.watch && len(names) > 1 {
		return failure.Usage(cmd.CommandPath(), "--watch takes one name, or none for all clusters")
	}
	return nil
}

// view is a form in which clusters are read and printed.
type view interface {
	// accept is the form that the server is asked for.
	accept() string
	// show prints the clusters named, or all, and returns how many there were and
	// from which resource version on to watch.
	show(ctx context.Context, r *reader, names []string) (count int, resourceVersion string, err error)
	// event prints one change.
	event(metav1.WatchEvent) error
}

func (o *getOptions) view(out io.Writer) view {
	switch o.output {
	case "", output.Wide:
		return newTableView(out, o.output == output.Wide, o.allNamespaces, o.noHeaders)
	default:
		return &objectView{out: out, format: o.output, single: o.watch}
	}
}

func (o *getOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, names []string) error {
	v := o.view(cmd.OutOrStdout())
	r, err := newReader(s, v.accept(), o.allNamespaces)
	if err != nil {
		return err
	}
	if o.watch {
		return o.follow(ctx, s, r, v, names)
	}
	count, _, err := v.show(ctx, r, names)
	if err != nil {
		return err
	}
	if count == 0 && (o.output == "" || o.output == output.Wide) {
		fmt.Fprintln(cmd.ErrOrStderr(), o.nothing(s))
	}
	return nil
}

// nothing is kubectl's sentence for an empty table.
func (o *getOptions) nothing(s *session.Session) string {
	if o.allNamespaces {
		return "No clusters found"
	}
	return fmt.Sprintf("No clusters found in %s namespace.", s.Namespace)
}

// follow prints what there is and then changes, until the context ends. The server
// ends a watch now and then; it is made anew from the last change that was seen.
func (o *getOptions) follow(ctx context.Context, s *session.Session, r *reader, v view, names []string) error {
	if len(names) == 1 {
		r.only = names[0]
	}
	count, version, err := v.show(ctx, r, nil)
	if err == nil && count == 0 && r.only != "" {
		return session.NoCluster(client.ObjectKey{Namespace: s.Namespace, Name: r.only})
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
			case <-o.clock.After(again):
			}
		}
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
