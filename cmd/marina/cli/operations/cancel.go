package operations

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

type cancelOptions struct {
	wait    bool
	timeout time.Duration
	dryRun  dryrun.Flag
}

func newCancel(open session.Opener) *cobra.Command {
	o := &cancelOptions{}
	cmd := &cobra.Command{
		Use:   "cancel NAME",
		Short: "Stop an operation at the next safe point",
		Long: `Stop an operation at the next safe point.

What has been done stays done, and the operation tells what was left. One that has
not begun can always be cancelled; while it runs, only an Upgrade, a Restart, a
ReplaceNode or a RebootNode can.
A cancellation cannot be taken back: 'marina operation retry' begins again.`,
		Example: `  marina operation cancel demo-restart-x7k2p
  marina operation cancel demo-upgrade-9fq4c --wait`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.dryRun.Check(cmd, o.wait); err != nil {
				return err
			}
			return waiting.Within(cmd, open, o.timeout, func(ctx context.Context, s *session.Session) error {
				return o.run(ctx, cmd, s, args[0])
			})
		},
		ValidArgsFunction: session.CompleteOperations(open, unfinished),
	}
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until it has stopped")
	waiting.TimeoutFlag(cmd, &o.timeout)
	o.dryRun.AddTo(cmd, "none, or server (have it checked, cancel nothing)", dryrun.Server)
	return cmd
}

func (o *cancelOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	operation := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"cancel":true}}`))
	err := s.Client.Patch(ctx, operation, patch, o.dryRun.Patch()...)
	if apierrors.IsNotFound(err) && !failure.NotServed(err) {
		return session.NoOperation(client.ObjectKey{Namespace: s.Namespace, Name: name})
	}
	if apierrors.IsInvalid(err) {
		return cannotCancel(ctx, s, name, err)
	}
	if err != nil {
		return err
	}
	if o.dryRun.Mode == dryrun.Server {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "operation %q cancelled%s\n", name, o.dryRun.Suffix())
		return err
	}
	if o.wait || operation.Status.Phase.Finished() {
		return o.awaitCancelled(ctx, cmd, s, name)
	}
	next := "stops at the next safe point; what has been done stays done"
	if operation.Status.Phase != v1alpha1.OperationRunning {
		next = "is cancelled before it begins"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "operation %q %s\n", name, next)
	return err
}

// cannotCancel says plainly that an operation is over, or goes on and why, where the API
// server names the field that it refuses.
func cannotCancel(ctx context.Context, s *session.Session, name string, refusal error) error {
	operation, err := s.Operation(ctx, name)
	if err != nil {
		return refusal
	}
	if !operation.Status.Phase.Finished() {
		var why []string
		for _, cause := range failure.Explain(refusal).Causes {
			why = append(why, strings.TrimPrefix(cause, "spec.cancel: "))
		}
		return failure.New("", "operation %q goes on: %s", name, strings.Join(why, "; "))
	}
	do := "there is nothing left to cancel"
	if retriable(operation) {
		do += "; " + retry(operation)
	}
	return failure.New(do, "operation %q has finished (%s) and cannot be cancelled", name, operation.Status.Phase)
}

// awaitCancelled fails if the operation came to its end before it could stop.
func (o *cancelOptions) awaitCancelled(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	finished, err := awaitFinished(ctx, cmd, s, name, o.timeout)
	if err != nil {
		return err
	}
	if finished.Status.Phase != v1alpha1.OperationCancelled {
		if err := failed(finished); err != nil {
			return err
		}
		return failure.New("", "%s before it could stop", succeeded(finished))
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), withMessage(fmt.Sprintf("operation %q cancelled", name), finished))
	return err
}
