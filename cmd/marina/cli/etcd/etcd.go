// Package etcd holds 'marina etcd': what takes snapshots of an EtcdCluster, and what
// makes its members' data of one.
package etcd

import (
	"fmt"
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/controlplane/etcd/snapshot"
)

// NewSnapshot is started by Marina for an EtcdCluster whose minor version is about to
// change. It is hidden, since nobody types it.
func NewSnapshot() *cobra.Command {
	o := snapshot.Options{}
	cmd := &cobra.Command{
		Use:    "snapshot",
		Short:  "Take a snapshot of an etcd and keep it",
		Hidden: true,
		Args:   arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Log = logr.FromSlogHandler(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return snapshot.Run(cmd.Context(), o)
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

const restoreDescription = `Make the data of one member of an etcd of a snapshot, once for each member.

It is for when the data of the members is lost, or must go back to what it was before
a change of the version: see docs/how-to/operate-etcd.md, which says what to stop first
and where the folders are. The snapshot is checked, and left as it is. The data is
written to the folder etcd below --dir, which must be empty or not there, unless
--put-aside makes it etcd.old. That must not be there from before: nothing is deleted,
and nothing is moved before the new data is complete.

The members begin a new cluster with the keys, users and roles of the snapshot. All
must be given the same --token, another one each time. Revisions are raised by
1,000,000,000, so that API servers notice that the store is another.`

// NewRestore is 'marina etcd restore'.
func NewRestore() *cobra.Command {
	r := snapshot.Restoring{}
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a member's data of a snapshot",
		Long:  restoreDescription,
		Example: `  marina etcd restore /snapshots/3.7.3-to-3.8.0-20260501-120000.db --dir /data --put-aside --member etcd-default-0 --token restored-1 \
    --members etcd-default-0=https://127.0.0.1:20010,etcd-default-1=https://127.0.0.1:20013,etcd-default-2=https://127.0.0.1:20016`,
		Args: arguments.Named("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, flag := range []string{"dir", "member", "members", "token"} {
				if !cmd.Flags().Changed(flag) {
					return failure.Usage(cmd.CommandPath(), "--%s is missing", flag)
				}
			}
			info, err := r.From(args[0])
			if err != nil {
				return failure.New("see to it that the snapshot is good and that there is room for it beside what is in "+r.Dir+", and try again: what is there was not touched", "%s was not restored: %v", r.Member, err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has the data of %s, revision %d, SHA-256 %s\n", r.Member, info.Name, info.Revision, info.SHA256)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.Dir, "dir", "", "the member's `folder` for data")
	flags.BoolVar(&r.PutAside, "put-aside", false, "put the data that is there aside, as etcd.old")
	flags.StringVar(&r.Member, "member", "", "`name` of the member")
	flags.StringSliceVar(&r.Members, "members", nil, "all members with their peer URLs, as `name=URL`")
	flags.StringVar(&r.Token, "token", "", "what the new cluster is told by from the one before; the same for all members")
	return cmd
}
