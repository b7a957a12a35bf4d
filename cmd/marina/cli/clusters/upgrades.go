package clusters

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/release"
)

// showUpgrades lists what a cluster may be upgraded to, the newest last. That it cannot begin
// now is no failure: nothing was to begin.
func showUpgrades(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	cluster, err := s.Cluster(ctx, name)
	if err != nil {
		return err
	}
	from, err := runs(cluster)
	if err != nil {
		return err
	}
	why := notNow(cluster)
	if why != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "Not now: %s\nWhat to do: %s\n", why.Message, why.Do)
	}
	if changesVersion(cluster) {
		return nil // What comes after that depends on how it ends.
	}
	offered, err := session.VersionsFor(ctx, s.Client, cluster)
	if err != nil {
		return err
	}
	next := release.Upgrades(from, offered)
	if len(next) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "No upgrades found: cluster %q runs %s, and nothing that it may go to is offered\n", name, from)
		return nil
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "VERSION\tKUBERNETES\tSTEP\n")
	for _, v := range next {
		fmt.Fprintf(t, "%s\t%s\t%s\n", v, v.Kubernetes(), step(from, v))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if why == nil {
		progress.Advise(cmd.ErrOrStderr(), "Next: marina cluster upgrade %s VERSION", session.Ref(client.ObjectKeyFromObject(cluster)))
	}
	return nil
}

// step is what comes with an upgrade. Another build counts as a patch: nothing is different
// about how it is done.
func step(from, to release.Version) string {
	if from.MinorVersion() == to.MinorVersion() {
		return "patch"
	}
	return "minor"
}
