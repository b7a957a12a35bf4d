// Package infrastructures holds 'marina infrastructure': what there is, and whether a
// cloud has what clusters need.
package infrastructures

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Commands are the commands below 'marina infrastructure'.
func Commands(open session.Opener) []*cobra.Command {
	return []*cobra.Command{
		newList(open, clock.RealClock{}),
		newCheck(open, &openstack.Pool{Agent: "marina-cli"}),
	}
}

var kind = listing.Kind{
	Singular: "infrastructure", Plural: "infrastructures", Resource: "infrastructure.marina.dev", ClusterScoped: true,
	Missing: func(key client.ObjectKey) *failure.Error { return missing(key.Name) },
}

func missing(name string) *failure.Error {
	return failure.New("'marina infrastructure list' shows what there is", "no infrastructure %q", name)
}

func read(ctx context.Context, s *session.Session, name string) (*v1alpha1.Infrastructure, error) {
	infra := &v1alpha1.Infrastructure{}
	err := s.Client.Get(ctx, client.ObjectKey{Name: name}, infra)
	if apierrors.IsNotFound(err) && !failure.NotServed(err) {
		return nil, missing(name)
	}
	return infra, err
}

func newList(open session.Opener, clock clock.Clock) *cobra.Command {
	o := &listing.Options{}
	cmd := &cobra.Command{
		Use:     "list [NAME...]",
		Aliases: []string{"get", "ls"},
		Short:   "Show infrastructures",
		Long: `Show the OpenStack regions in which clusters may have nodes, or those named.

The columns are those of 'kubectl get infrastructures'.`,
		Example: `  marina infrastructure list
  marina infrastructure list paris -o yaml`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := o.Check(cmd, kind, names); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.Show(cmd.Context(), cmd, s, listing.Query{Kind: kind, Names: names}, clock)
		},
		ValidArgsFunction: session.CompleteInfrastructures(open, 0),
	}
	o.AddFlags(cmd, kind)
	return cmd
}
