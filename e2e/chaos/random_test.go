package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// killsEach is how often "marina up" is killed while it creates clusters, and how often
// while it deletes them; clustersAtMost is how many that may take.
const killsEach, clustersAtMost = 10, 30

// TestMarinaKilledAtRandomPoints kills "marina up" at twenty points of creations and
// deletions.
func TestMarinaKilledAtRandomPoints(t *testing.T) {
	s := begin(t)
	s.management = true
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	twins := watchForTwins(t)

	began := time.Now()
	c := harness.CreateCluster(t, shared, "undisturbed")
	check(t, harness.AwaitPhase(t.Context(), shared, c.Name, v1alpha1.ClusterActive))
	creation := &work{name: "creation", random: random, takes: time.Since(began)}
	began = time.Now()
	check(t, shared.Client.Delete(t.Context(), c))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error { return isGone(ctx, c.Name) }))
	deletion := &work{name: "deletion", random: random, takes: time.Since(began)}
	harness.Gone(t, shared, c)
	t.Logf("undisturbed: created in %.1f s, deleted in %.1f s", creation.takes.Seconds(), deletion.takes.Seconds())

	s.prober.Mark()
	for n := 0; creation.kills < killsEach || deletion.kills < killsEach; n++ {
		if n == clustersAtMost {
			t.Fatalf("with %d clusters, %d kills came before the end of a creation, and %d before that of a deletion: want %d each", n, creation.kills, deletion.kills, killsEach)
		}
		c := harness.CreateCluster(t, shared, fmt.Sprintf("unlucky-%d", n))
		creation.disturb(t, func(ctx context.Context) error { return isActive(ctx, c.Name) })
		check(t, harness.AwaitPhase(t.Context(), shared, c.Name, v1alpha1.ClusterActive))
		check(t, shared.Client.Delete(t.Context(), c))
		deletion.disturb(t, func(ctx context.Context) error { return isGone(ctx, c.Name) })
		harness.Gone(t, shared, c)
	}
	if diff := cmp.Diff([]string(nil), twins()); diff != "" {
		t.Errorf("processes ran twice at a time:\n%s", diff)
	}
	s.end(none)
}

// work is what Marina is killed at: the creation of clusters, or their deletion.
type work struct {
	name   string
	random *rand.Rand
	// takes is how long it took when it was last left alone.
	takes time.Duration
	// kills came before its end.
	kills int
}

// disturb kills "marina up" at random points of work that begins now, until that is
// done: look is errUnderWay before. Points are drawn evenly from most of what is left,
// in the time that Marina runs. One that comes when all is done does not count.
func (w *work) disturb(t *testing.T, look func(context.Context) error) {
	t.Helper()
	for ran := time.Duration(0); w.kills < killsEach; {
		wait := time.Duration(w.random.Int64N(max(1, int64(w.takes-ran)*4/5)))
		began := time.Now()
		err := harness.Await(t.Context(), wait, look)
		if err != nil {
			err = look(t.Context())
		}
		if err == nil {
			t.Logf("%s: done, a kill after %.2f s was too late", w.name, (ran + wait).Seconds())
			if ran == 0 {
				w.takes = time.Since(began)
			}
			return
		}
		if !errors.Is(err, errUnderWay) {
			t.Fatal(err)
		}
		check(t, shared.Kill())
		w.kills++
		ran += wait
		t.Logf("%s: kill %d after %.2f s", w.name, w.kills, ran.Seconds())
		check(t, shared.Start(t.Context()))
	}
}

var errUnderWay = errors.New("it is under way")

// isActive is errUnderWay until a cluster is.
func isActive(ctx context.Context, name string) error {
	now, err := harness.GetCluster(ctx, shared, name)
	if err == nil && now.Status.Phase != v1alpha1.ClusterActive {
		err = errUnderWay
	}
	return err
}

// isGone is errUnderWay while there is such a cluster.
func isGone(ctx context.Context, name string) error {
	_, err := harness.GetCluster(ctx, shared, name)
	switch {
	case err == nil:
		return errUnderWay
	case apierrors.IsNotFound(err):
		return nil
	default:
		return err
	}
}

// watchForTwins looks all the time for processes that run twice; the function that
// it returns ends that and names them.
func watchForTwins(t *testing.T) (found func() []string) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	names := map[string]bool{}
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		var last map[string][]int
		for {
			now := shared.AllProcesses()
			for name, pids := range now {
				// Twice in a row: while one look lasts, one may end and its successor begin.
				if len(pids) > 1 && slices.Equal(pids, last[name]) {
					names[name] = true
				}
			}
			last = now
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	}()
	end := func() {
		select {
		case <-stop:
		default:
			close(stop)
		}
		<-stopped
	}
	t.Cleanup(end)
	return func() (twice []string) {
		end()
		for name := range names {
			twice = append(twice, name)
		}
		return twice
	}
}
