// Package kubeconfigs holds 'marina kubeconfig get', which issues credentials for
// a cluster and puts them where kubectl finds them.
package kubeconfigs

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/ttl"
	"github.com/marina-dev/marina/controlplane/access"
	"github.com/marina-dev/marina/pkg/kubeconfig"
)

// standardOutput is the value of -o for standard output.
const standardOutput = "-"

type getOptions struct {
	user       string
	groups     []string
	ttl        time.Duration
	output     string
	setCurrent bool
}

// NewGet is 'marina kubeconfig get'.
func NewGet(open session.Opener) *cobra.Command {
	o := &getOptions{}
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Get a kubeconfig for a cluster",
		Long: `Get a kubeconfig for a cluster.

It is merged into your own kubeconfig, the first of $KUBECONFIG or ~/.kube/config,
as context marina/NAMESPACE/NAME, or into the file that -o names; never into that
of 'marina up', which belongs to the management cluster. Its certificate
is made for this call and stored nowhere else; it cannot be taken back before it
ends, so give it no more time than it needs.

Without --user and --group it is an administrator's. As soon as one of them is
given it has the rights that RBAC in the cluster gives to these, and no others.`,
		Example: `  marina kubeconfig get demo
  marina kubeconfig get demo --ttl 8h --user jane --group developers
  marina kubeconfig get demo -o - > demo.kubeconfig`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.request().Validate(); err != nil {
				// Its words say what to do.
				return &failure.Error{Exit: failure.ExitUsage, Message: failure.Explain(err).Message, Err: err}
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd, s, args[0])
		},
		ValidArgsFunction: session.CompleteClusters(open, 1),
	}
	flags := cmd.Flags()
	ttl.Var(flags, &o.ttl, "ttl", access.DefaultTTL, "how long it is valid, such as 8h or 30d")
	flags.StringVar(&o.user, "user", "", "`name` that the cluster knows its holder by")
	flags.StringSliceVar(&o.groups, "group", nil, "`group` of its holder, which rights in the cluster are bound to; repeatable")
	flags.StringVarP(&o.output, "output", "o", "", "`file` to merge it into, or - for standard output")
	flags.BoolVar(&o.setCurrent, "set-current", true, "make it the current context")
	_ = cmd.MarkFlagFilename("output")
	return cmd
}

func (o *getOptions) request() access.Request {
	return access.Request{User: o.user, Groups: o.groups, TTL: o.ttl}
}

func (o *getOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	cluster, err := s.Cluster(ctx, name)
	if err != nil {
		return err
	}
	now := time.Now()
	config, err := access.Kubeconfig(ctx, s.Client, cluster, o.request(), now)
	if err != nil {
		return err
	}
	if o.output == standardOutput {
		data, err := kubeconfig.Encode(config)
		if err != nil {
			return err
		}
		if _, err := cmd.OutOrStdout().Write(data); err != nil {
			return err
		}
		return o.report(cmd.ErrOrStderr(), config, "", now)
	}
	to, err := o.target(os.Getenv)
	if err != nil {
		return err
	}
	if err := kubeconfig.MergeFile(to.path, config, o.setCurrent); err != nil {
		return err
	}
	if err := o.report(cmd.ErrOrStderr(), config, to.path, now); err != nil {
		return err
	}
	o.advise(cmd, s, to)
	return nil
}
