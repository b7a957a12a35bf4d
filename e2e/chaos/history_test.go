package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// history is all that the conditions of a cluster have said since it was begun, also
// what they said for a moment only: what is killed may be back before anybody looks.
type history struct {
	mu   sync.Mutex
	said []metav1.Condition
	// over tells why nothing more comes; empty as long as something may.
	over string
}

// follow begins the history of a cluster. It asks for the present first: a server that
// has started anew knows nothing of the version in which the cluster was last changed.
func (s *scene) follow(cluster *v1alpha1.Cluster) *history {
	s.t.Helper()
	list := &v1alpha1.ClusterList{}
	only := &client.ListOptions{Namespace: cluster.Namespace, FieldSelector: fields.OneTermEqualSelector("metadata.name", cluster.Name)}
	check(s.t, shared.Client.List(s.t.Context(), list, only))
	only.Raw = &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}
	changes, err := shared.Client.Watch(s.t.Context(), list, only)
	check(s.t, err)
	h := &history{}
	go h.record(changes)
	return h
}

func (h *history) record(changes watch.Interface) {
	for change := range changes.ResultChan() {
		h.mu.Lock()
		switch o := change.Object.(type) {
		case *v1alpha1.Cluster:
			h.said = append(h.said, o.Status.Conditions...)
		default:
			h.over = fmt.Sprintf("the watch has failed: %v", o)
		}
		h.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over == "" {
		h.over = "the watch has ended"
	}
}

// awaitFalse waits until a condition is false and says all the words, or has done so
// since the history began.
func (s *scene) awaitFalse(h *history, conditionType string, words ...string) {
	s.t.Helper()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		var told []string
		for _, c := range h.said {
			if says([]metav1.Condition{c}, conditionType, metav1.ConditionFalse, words) == nil {
				return nil
			}
			if c.Type == conditionType {
				told = append(told, fmt.Sprintf("%s because %q (%s)", c.Status, c.Message, c.Reason))
			}
		}
		err := fmt.Errorf("condition %s was never False and said %q; it was %v", conditionType, words, slices.Compact(told))
		if h.over != "" {
			return harness.Fatal(fmt.Errorf("%s: %w", h.over, err))
		}
		return err
	}))
}
