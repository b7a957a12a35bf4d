package chart

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// working fails unless somebody does what managers do: to publish the releases, which
// somebody has taken away.
func working(t testing.TB, s *server) {
	t.Helper()
	offered := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "offered-releases"}}
	exists := func(ctx context.Context) error {
		found := offered.DeepCopy()
		if err := s.get(ctx, found); err != nil || len(found.Data) == 0 {
			return fmt.Errorf("it offers %v, %w", found.Data, err)
		}
		return nil
	}
	if err := harness.Await(t.Context(), 15*time.Second, exists); err != nil {
		t.Fatalf("publishing the releases: %v", err)
	}
	if err := s.client.Delete(t.Context(), offered.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := harness.Await(t.Context(), 15*time.Second, exists); err != nil {
		t.Fatalf("publishing the releases again: %v", err)
	}
}

// Of two managers one works; when it ends or dies, the other one does.
func TestHandover(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		first := startManager(t, s)
		leader := awaitHolder(t, s, "")
		working(t, s)
		second := startManager(t, s)
		if now, err := holder(t.Context(), s); err != nil || now != leader {
			t.Fatalf("%s works, %v: want %s, which has not ended", now, err, leader)
		}

		// It gives the Lease back.
		began := time.Now()
		first.stop(t)
		leader = awaitHolder(t, s, leader)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the handover of a manager that ends took %s, want at most 10 s: it does not give its Lease back", took)
		}
		working(t, s)

		// It cannot: the Lease has to run out, 15 s after it was renewed last.
		third := startManager(t, s)
		second.kill()
		if now, err := holder(t.Context(), s); err != nil || now != leader {
			t.Fatalf("%s works, %v: want nobody to have taken over from %s yet", now, err, leader)
		}
		awaitHolder(t, s, leader)
		working(t, s)
		third.stop(t)
		if now, err := holder(t.Context(), s); err != nil || now != "" {
			t.Errorf("%q works, %v: want nobody after the last one", now, err)
		}
	})
}
