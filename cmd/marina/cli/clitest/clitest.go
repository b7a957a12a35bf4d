// Package clitest is a management cluster for the tests of commands.
package clitest

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Change is something that happens in a management cluster.
type Change func(client.Client) error

// API is a management cluster. Each time that somebody watches it, the next change
// happens: a test needs no timing to change things under a command's eyes.
type API struct {
	client.WithWatch
	onWatch []Change
}

// NewAPI makes a management cluster that has objects.
func NewAPI(t testing.TB, objects []client.Object, onWatch ...Change) *API {
	t.Helper()
	byName := func(o client.Object) []string { return []string{o.GetName()} }
	return Play(fake.NewClientBuilder().
		WithScheme(session.Scheme).
		WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.Cluster{}, &v1alpha1.Operation{}, &v1alpha1.NodePool{}).
		WithIndex(&v1alpha1.Cluster{}, metav1.ObjectNameField, byName).
		WithIndex(&v1alpha1.Operation{}, metav1.ObjectNameField, byName).
		WithIndex(&v1alpha1.NodePool{}, metav1.ObjectNameField, byName).
		Build(), onWatch...)
}

// Play makes a management cluster of that of a client, which may be a real one.
func Play(c client.WithWatch, onWatch ...Change) *API {
	a := &API{onWatch: onWatch}
	a.WithWatch = interceptor.NewClient(c, interceptor.Funcs{Watch: a.watch})
	return a
}

func (a *API) watch(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	w, err := c.Watch(ctx, list, opts...)
	if err != nil {
		return nil, err
	}
	if len(a.onWatch) == 0 {
		return nil, errors.New("nothing more happens in this test")
	}
	next := a.onWatch[0]
	a.onWatch = a.onWatch[1:]
	if err := next(c); err != nil {
		w.Stop()
		return nil, err
	}
	context.AfterFunc(ctx, w.Stop) // as a connection does
	return w, nil
}

// Run runs a line of some commands and returns what it wrote.
func Run(t testing.TB, ctx context.Context, a client.WithWatch, commands func(session.Opener) []*cobra.Command, args ...string) (out, errOut string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "marina"}
	root.AddCommand(commands(Open(&session.Session{Client: a, Namespace: "default"}))...)
	return Execute(ctx, root, args...)
}

// Open is an Opener of one Session.
func Open(s *session.Session) session.Opener {
	return func(*cobra.Command) (*session.Session, error) { return s, nil }
}

// Execute runs a command with some arguments and returns what it wrote.
func Execute(ctx context.Context, cmd *cobra.Command, args ...string) (out, errOut string, err error) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}

// times are how long a command says that something has taken.
var times = regexp.MustCompile(` (after |\()[0-9]+s\)?`)

// WithoutTimes is what a command says without the times in it: on a machine that is busy a
// second has passed.
func WithoutTimes(text string) string { return times.ReplaceAllString(text, "") }

// Explained is what a person sees of an error.
func Explained(err error) string {
	var b strings.Builder
	failure.Print(&b, err)
	return b.String()
}

// Instant is a clock on which nothing takes long.
type Instant struct{ clock.RealClock }

// After has passed already.
func (Instant) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Time{}
	return c
}
