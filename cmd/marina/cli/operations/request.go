package operations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// request are the flags of a command that creates an operation.
type request struct {
	wait    bool
	timeout time.Duration
	dryRun  dryrun.Flag
	output  string
}

func (r *request) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.wait, "wait", false, "show the steps and wait until the operation is finished")
	waiting.TimeoutFlag(cmd, &r.timeout)
	r.dryRun.AddTo(cmd, "none, or server (have it checked, create nothing)", dryrun.Server)
	cmd.Flags().StringVarP(&r.output, "output", "o", "", "print the operation as yaml, json or name")
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.YAML, output.JSON, output.Name))
}

// run creates the operation that spec tells, if the flags are right.
func (r *request) run(cmd *cobra.Command, open session.Opener, spec func(context.Context, *session.Session) (v1alpha1.OperationSpec, error)) error {
	if err := r.dryRun.Check(cmd, r.wait); err != nil {
		return err
	}
	if err := output.Check(r.output, output.YAML, output.JSON, output.Name); err != nil {
		return failure.Usage(cmd.CommandPath(), "%v", err)
	}
	return waiting.Within(cmd, open, r.timeout, func(ctx context.Context, s *session.Session) error {
		asked, err := spec(ctx, s)
		if err != nil {
			return err
		}
		return r.create(ctx, cmd, s, asked)
	})
}

// create creates an operation and, if that is asked for, waits until it is
// finished.
func (r *request) create(ctx context.Context, cmd *cobra.Command, s *session.Session, spec v1alpha1.OperationSpec) error {
	o := &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:    s.Namespace,
			GenerateName: spec.TargetRef.Name + "-" + words(spec.Type) + "-",
		},
		Spec: spec,
	}
	if err := s.Client.Create(ctx, o, r.dryRun.Create()...); err != nil {
		return err
	}
	created := fmt.Sprintf("operation %q created%s", o.Name, r.dryRun.Suffix())
	if r.dryRun.Mode != dryrun.None {
		return r.print(cmd, o, created)
	}
	if !r.wait {
		return r.begin(ctx, cmd, s, o, created)
	}
	if r.output == "" {
		if err := r.print(cmd, o, created); err != nil {
			return err
		}
	}
	last, err := awaitFinished(ctx, cmd, s, o.Name, r.timeout)
	if err == nil {
		err = failed(last)
	}
	if err != nil {
		return r.fail(cmd, last, err)
	}
	return r.print(cmd, last, succeeded(last))
}

// begin returns when the operation has been taken up, or after a moment. What is
// refused is refused then, and must not look as if it were done.
func (r *request) begin(ctx context.Context, cmd *cobra.Command, s *session.Session, o *v1alpha1.Operation, created string) error {
	last := awaitTakenUp(ctx, s.Client, o)
	if err := failed(last); err != nil {
		return r.fail(cmd, last, err)
	}
	if err := r.print(cmd, last, created); err != nil {
		return err
	}
	key := session.Ref(client.ObjectKeyFromObject(o))
	if cmd.Context().Err() != nil {
		return failure.Interrupted(fmt.Sprintf("it goes on: 'marina operation watch %s' waits on", key))
	}
	if r.output == "" {
		progress.Advise(cmd.ErrOrStderr(), "Next: marina operation watch %s", key)
	}
	return nil
}

// fail prints the object, if it is asked for, of an operation that did not succeed.
func (r *request) fail(cmd *cobra.Command, last *v1alpha1.Operation, err error) error {
	if r.output == "" || last == nil {
		return err
	}
	return errors.Join(r.print(cmd, last, ""), err)
}

// words are those of a type in lower case: rotate-certificates.
func words(kind v1alpha1.OperationType) string {
	var b strings.Builder
	for i, r := range string(kind) {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func (r *request) print(cmd *cobra.Command, o *v1alpha1.Operation, sentence string) error {
	if r.output == "" {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), sentence)
		return err
	}
	u, err := output.Manifest(o, session.Scheme)
	if err != nil {
		return err
	}
	return output.Object(cmd.OutOrStdout(), r.output, resource, u)
}
