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

// rounds are how many clusters are created and deleted, and killsEach how often
// "marina up" is killed during each creation and each deletion.
const rounds, killsEach = 2, 5

// TestMarinaKilledAtRandomPoints kills "marina up" at twenty points of creations and
// deletions. Points are drawn evenly over the time that these take undisturbed, in
// the time that Marina runs.
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
	creation := time.Since(began)
	began = time.Now()
	check(t, shared.Client.Delete(t.Context(), c))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error { return isGone(ctx, c.Name) }))
	deletion := time.Since(began)
	harness.Gone(t, shared, c)
	t.Logf("undisturbed: created in %.1f s, deleted in %.1f s", creation.Seconds(), deletion.Seconds())

	s.prober.Mark()
	inCreation, inDeletion := 0, 0
	for round := range rounds {
		c := harness.CreateCluster(t, shared, fmt.Sprintf("unlucky-%d", round))
		inCreation += killAt(t, points(random, creation), func(ctx context.Context) error {
			now, err := harness.GetCluster(ctx, shared, c.Name)
			if err == nil && now.Status.Phase != v1alpha1.ClusterActive {
				err = errUnderWay
			}
			return err
		})
		check(t, harness.AwaitPhase(t.Context(), shared, c.Name, v1alpha1.ClusterActive))
		check(t, shared.Client.Delete(t.Context(), c))
		inDeletion += killAt(t, points(random, deletion), func(ctx context.Context) error { return isGone(ctx, c.Name) })
		harness.Gone(t, shared, c)
	}
	t.Logf("killed %d times in creations, %d of them before the end; %d times in deletions, %d of them before the end",
		rounds*killsEach, inCreation, rounds*killsEach, inDeletion)
	if inCreation < rounds || inDeletion < rounds {
		t.Errorf("only %d and %d kills came before the end: that proves little", inCreation, inDeletion)
	}
	if diff := cmp.Diff([]string(nil), twins()); diff != "" {
		t.Errorf("processes ran twice at a time:\n%s", diff)
	}
	s.end(none)
}

// points are sorted times of the given length.
func points(random *rand.Rand, length time.Duration) (at []time.Duration) {
	for range killsEach {
		at = append(at, time.Duration(random.Int64N(int64(length))))
	}
	slices.Sort(at)
	return at
}

var errUnderWay = errors.New("it is under way")

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

// killAt kills "marina up" when it has run for each of the given times from now on,
// and starts it again; it returns how often what it did was under way just before.
func killAt(t *testing.T, at []time.Duration, look func(context.Context) error) (before int) {
	t.Helper()
	ran := time.Duration(0)
	for _, point := range at {
		timer := time.NewTimer(point - ran)
		select {
		case <-timer.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
		ran = point
		if err := look(t.Context()); errors.Is(err, errUnderWay) {
			before++
		} else {
			check(t, err)
		}
		check(t, shared.Kill())
		check(t, shared.Start(t.Context()))
	}
	return before
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
