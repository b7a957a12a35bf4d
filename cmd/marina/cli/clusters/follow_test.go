package clusters

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// instant is a clock on which nothing takes long.
type instant struct{ clock.RealClock }

func (instant) After(time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Time{}
	return c
}

// recorder notes what it is told, and has seen enough at the phase until.
type recorder struct {
	until v1alpha1.ClusterPhase
	notes []string
}

func (r *recorder) observe(c *v1alpha1.Cluster) bool {
	if c == nil {
		r.notes = append(r.notes, "none")
		return false
	}
	r.notes = append(r.notes, string(c.Status.Phase))
	return c.Status.Phase == r.until
}

func (r *recorder) lost(err error) { r.notes = append(r.notes, "lost: "+err.Error()) }

var demo = client.ObjectKey{Namespace: "default", Name: "demo"}

func TestFollowSurvivesARestartOfTheManagementCluster(t *testing.T) {
	creating := cluster("demo", v1alpha1.ClusterCreating, metav1.ConditionUnknown, "")
	a := newAPI(t, []client.Object{creating},
		func(client.Client) error { return errors.New("it restarts") },
		becomes(t, cluster("demo", v1alpha1.ClusterActive, metav1.ConditionTrue, "")))
	r := &recorder{until: v1alpha1.ClusterActive}
	if err := follow(t.Context(), a, demo, instant{}, r); err != nil {
		t.Fatal(err)
	}
	want := []string{"Creating", "lost: it restarts", "Creating", "Active"}
	if diff := cmp.Diff(want, r.notes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFollowFailsIfTheFirstRequestDoes(t *testing.T) {
	refused := errors.New("connection refused")
	a := interceptor.NewClient(newAPI(t, nil), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return refused },
	})
	if err := follow(t.Context(), a, demo, instant{}, &recorder{}); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v: nobody shall wait ten minutes for a wrong address", err, refused)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	a := newAPI(t, nil, func(client.Client) error { cancel(cause); return nil })
	if err := follow(ctx, a, demo, instant{}, &recorder{}); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause, which tells a time limit from an interrupt", err)
	}
}
