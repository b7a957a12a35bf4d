package lifecycle

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestStepsOfTheOperationThatRunsAreShown(t *testing.T) {
	var tracked []string
	w := &watcher[*v1alpha1.Cluster]{
		kind: kind, goal: Goal{Text: "Active", Phase: "Active"}, progress: progress.New(io.Discard, "demo"),
		track: func(name string) { tracked = append(tracked, name) },
	}
	c := &v1alpha1.Cluster{}
	w.Observe(c)
	c.Status.Operation = "demo-create-1"
	w.Observe(c)
	c.Status.Phase = v1alpha1.ClusterActive
	w.Observe(c)
	if diff := cmp.Diff([]string{"", "demo-create-1"}, tracked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
