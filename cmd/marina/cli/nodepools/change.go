package nodepools

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// change are the flags of a command that changes the spec of a pool.
type change struct {
	wait    bool
	timeout time.Duration
	dryRun  dryrun.Flag
}

// addFlags takes what --wait waits for.
func (c *change) addFlags(cmd *cobra.Command, wait string) {
	cmd.Flags().BoolVar(&c.wait, "wait", false, wait)
	waiting.TimeoutFlag(cmd, &c.timeout)
	c.dryRun.AddTo(cmd, "none, or server (have it checked, change nothing)", dryrun.Server)
}

// run does what the command does, if the flags are right.
func (c *change) run(cmd *cobra.Command, open session.Opener, do func(context.Context, *session.Session) error) error {
	if err := c.dryRun.Check(cmd, c.wait); err != nil {
		return err
	}
	return waiting.Within(cmd, open, c.timeout, do)
}

// apply changes fields of the spec and, if that is asked for, waits until the pool is Active.
// Done and doing are words for it: scaled to 3, being scaled.
func (c *change) apply(ctx context.Context, cmd *cobra.Command, s *session.Session, pool *v1alpha1.NodePool, fields map[string]any, done, doing string) error {
	patch, err := json.Marshal(map[string]any{"spec": fields})
	if err != nil {
		return err
	}
	if err := s.Client.Patch(ctx, pool, client.RawPatch(types.MergePatchType, patch), c.dryRun.Patch()...); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "nodepool %q %s%s\n", pool.Name, done, c.dryRun.Suffix()); err != nil {
		return err
	}
	if !c.wait {
		if c.dryRun.Mode == dryrun.None {
			progress.Advise(cmd.ErrOrStderr(), "Next: %s", kind.Begun(pool))
		}
		return nil
	}
	_, took, err := kind.AwaitUp(ctx, cmd, s, client.ObjectKeyFromObject(pool), c.timeout, doing)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "nodepool %q is %s%s\n", pool.Name, kind.Up.Text, waiting.After(took))
	return err
}
