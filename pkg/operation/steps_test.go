package operation

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// op is an Operation as users create it, and running makes another of it.
func op(kind v1alpha1.OperationType, name string) *v1alpha1.Operation {
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "project", Name: name, UID: types.UID("uid-of-" + name)}}
	o.Spec = v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: "shop"}, Type: kind}
	return o
}

func running(o *v1alpha1.Operation, generation int64) *v1alpha1.Operation {
	started := metav1.NewTime(noon.Add(-time.Minute))
	o.Status = v1alpha1.OperationStatus{Phase: v1alpha1.OperationRunning, StartedAt: &started, Generation: generation}
	return o
}

func TestSteps(t *testing.T) {
	names := []string{"first", "second", "third"}
	began, later := metav1.NewTime(noon), metav1.NewTime(noon.Add(30*time.Second))
	steps := func(done ...bool) (all []Step) {
		for i, d := range done {
			all = append(all, Step{Name: names[i], Done: d, Message: "left as it was"})
		}
		return all
	}
	o := running(op(v1alpha1.OperationRestart, "r"), 1)
	Report(o, steps(false, false, false), began)
	Report(o, steps(true, false, false), later)
	want := []v1alpha1.OperationStep{
		{Name: names[0], Phase: v1alpha1.OperationSucceeded, StartedAt: &began, FinishedAt: &later},
		{Name: names[1], Phase: v1alpha1.OperationRunning, Message: "left as it was", StartedAt: &later},
		{Name: names[2], Phase: v1alpha1.OperationPending},
	}
	if diff := cmp.Diff(want, o.Status.Steps); diff != "" || o.Status.Progress != "1/3" {
		t.Errorf("progress %s, steps (-want +got):\n%s", o.Status.Progress, diff)
	}
	again := o.DeepCopy()
	Report(again, steps(true, false, false), metav1.NewTime(noon.Add(time.Hour)))
	if diff := cmp.Diff(o, again); diff != "" {
		t.Errorf("a second look at the same changed:\n%s", diff)
	}

	for name, tc := range map[string]struct {
		phase v1alpha1.OperationPhase
		want  []v1alpha1.OperationPhase
	}{
		"succeeded": {v1alpha1.OperationSucceeded, []v1alpha1.OperationPhase{"Succeeded", "Succeeded", "Succeeded"}},
		"failed":    {v1alpha1.OperationFailed, []v1alpha1.OperationPhase{"Succeeded", "Failed", "Cancelled"}},
		"cancelled": {v1alpha1.OperationCancelled, []v1alpha1.OperationPhase{"Succeeded", "Cancelled", "Cancelled"}},
	} {
		t.Run(name, func(t *testing.T) {
			end := o.DeepCopy()
			Conclude(end, steps(true, false, false), Verdict{end, tc.phase, "words"}, metav1.NewTime(noon.Add(59*time.Second)))
			var got []v1alpha1.OperationPhase
			for _, st := range end.Status.Steps {
				got = append(got, st.Phase)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || end.Status.Took != "119s" || end.Status.Message != "words" {
				t.Errorf("%+v, phases of the steps (-want +got):\n%s", end.Status, diff)
			}
		})
	}
}

func TestSurplus(t *testing.T) {
	finished := func(n int, name string, began bool) (all []*v1alpha1.Operation) {
		for i := range n {
			o := op(v1alpha1.OperationResync, fmt.Sprintf("%s-%02d", name, i))
			o.Status.Phase = v1alpha1.OperationFailed
			if began {
				o.Status.StartedAt = &metav1.Time{Time: noon}
			}
			all = append(all, o)
		}
		return all
	}
	runs := running(op(v1alpha1.OperationRestart, "runs"), 1)
	cases := map[string]struct {
		operations []*v1alpha1.Operation
		want       []string
	}{
		"none":                      {nil, nil},
		"as many as may be":         {finished(50, "done", true), nil},
		"one more":                  {finished(51, "done", true), []string{"done-00"}},
		"one that runs stays":       {append([]*v1alpha1.Operation{runs}, finished(50, "done", true)...), []string{"done-00"}},
		"what waits does not count": {append(finished(50, "done", true), op(v1alpha1.OperationResync, "waits")), nil},
		"refusals beyond ten":       {finished(12, "refused", false), []string{"refused-01", "refused-00"}},
		"refusals go first":         {append(finished(45, "done", true), finished(15, "refused", false)...), []string{"refused-04", "refused-03", "refused-02", "refused-01", "refused-00", "done-04", "done-03", "done-02", "done-01", "done-00"}},
		"only those that have not":  {finished(10, "refused", false), nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, o := range surplus(tc.operations) {
				got = append(got, o.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("surplus (-want +got):\n%s", diff)
			}
		})
	}
}
