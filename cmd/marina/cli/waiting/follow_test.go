package waiting

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// recorder notes what it is told, and has seen enough at the phase until.
type recorder struct {
	until v1alpha1.ClusterPhase
	notes []string
}

func (r *recorder) Observe(c *v1alpha1.Cluster) bool {
	if c == nil {
		r.notes = append(r.notes, "none")
		return false
	}
	r.notes = append(r.notes, string(c.Status.Phase))
	return c.Status.Phase == r.until
}

func (r *recorder) Lost(err error) { r.notes = append(r.notes, "lost: "+err.Error()) }

var demo = client.ObjectKey{Namespace: "default", Name: "demo"}

func TestFollowSurvivesARestartOfTheManagementCluster(t *testing.T) {
	creating := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo"}}
	creating.Status.Phase = v1alpha1.ClusterCreating
	a := clitest.NewAPI(t, []client.Object{creating},
		func(client.Client) error { return errors.New("it restarts") },
		func(c client.Client) error {
			active := creating.DeepCopy()
			active.Status.Phase = v1alpha1.ClusterActive
			return c.Status().Update(t.Context(), active)
		})
	r := &recorder{until: v1alpha1.ClusterActive}
	if err := Follow(t.Context(), a, demo, &v1alpha1.ClusterList{}, clitest.Instant{}, r); err != nil {
		t.Fatal(err)
	}
	want := []string{"Creating", "lost: it restarts", "Creating", "Active"}
	if diff := cmp.Diff(want, r.notes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFollowFailsIfTheFirstRequestDoes(t *testing.T) {
	refused := errors.New("connection refused")
	a := interceptor.NewClient(clitest.NewAPI(t, nil), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return refused },
	})
	if err := Follow(t.Context(), a, demo, &v1alpha1.ClusterList{}, clitest.Instant{}, &recorder{}); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v: nobody shall wait ten minutes for a wrong address", err, refused)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	a := clitest.NewAPI(t, nil, func(client.Client) error { cancel(cause); return nil })
	if err := Follow(ctx, a, demo, &v1alpha1.ClusterList{}, clitest.Instant{}, &recorder{}); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause, which tells a time limit from an interrupt", err)
	}
}

// Whether the management cluster answered when the time was over is what tells a
// person where to look.
func TestFollowTellsThatNobodyAnswers(t *testing.T) {
	creating := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo"}}
	cases := map[string]struct {
		list    func(lists int, expire func()) error
		onWatch func(expire func()) clitest.Change
		silent  bool
	}{
		"NoAnswerAtAll": {
			list:   func(_ int, expire func()) error { expire(); return context.Canceled },
			silent: true,
		},
		"NoneAnyMore": {
			list: func(lists int, expire func()) error {
				if lists == 1 {
					return nil
				}
				expire()
				return context.Canceled
			},
			onWatch: func(func()) clitest.Change { return func(client.Client) error { return errors.New("it is gone") } },
			silent:  true,
		},
		"ItAnswers": {
			list:    func(int, func()) error { return nil },
			onWatch: func(expire func()) clitest.Change { return func(client.Client) error { expire(); return nil } },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			expire := func() { cancel(ErrTimedOut) }
			var onWatch []clitest.Change
			if tc.onWatch != nil {
				onWatch = append(onWatch, tc.onWatch(expire))
			}
			lists := 0
			a := interceptor.NewClient(clitest.NewAPI(t, []client.Object{creating.DeepCopy()}, onWatch...), interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					lists++
					if err := tc.list(lists, expire); err != nil {
						return err
					}
					return c.List(ctx, list, opts...)
				},
			})
			err := Follow(ctx, a, demo, &v1alpha1.ClusterList{}, clitest.Instant{}, &recorder{until: v1alpha1.ClusterActive})
			if !errors.Is(err, ErrTimedOut) || errors.Is(err, ErrSilent) != tc.silent {
				t.Errorf("got %v, want the cause, and that it is silent: %v", err, tc.silent)
			}
		})
	}
}

// Of several clusters that are waited for in turn, the time may be over before the
// last one is asked for.
func TestFollowDoesNotBlameWhomItHasNotAsked(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrTimedOut)
	err := Follow(ctx, clitest.NewAPI(t, nil), demo, &v1alpha1.ClusterList{}, clitest.Instant{}, &recorder{})
	if !errors.Is(err, ErrTimedOut) || errors.Is(err, ErrSilent) {
		t.Errorf("got %v, want the cause alone", err)
	}
}
