package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestRunStopsAtTheFirstStepThatDoesNotSucceed(t *testing.T) {
	var ran []string
	step := func(name string, err error) Step[*testing.T] {
		return Step[*testing.T]{Name: name, Run: func(context.Context, *testing.T) error {
			ran = append(ran, name)
			return err
		}}
	}
	err := Run(t.Context(), t, []Step[*testing.T]{step("one", nil), step("two", Wait("NotYet", "in a moment")), step("three", nil)})
	if diff := cmp.Diff([]string{"one", "two"}, ran); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if e := As(err); e == nil || e.Kind != KindWait || e.Reason != "NotYet" {
		t.Errorf("error %v: want the step's own, with its type", err)
	}
}

func TestResult(t *testing.T) {
	plain := errors.New("connection refused")
	cases := map[string]struct {
		err     error
		want    ctrl.Result
		wantErr bool
	}{
		"success asks for nothing":                     {nil, ctrl.Result{}, false},
		"waiting is left to an event":                  {Wait("A", "a"), ctrl.Result{}, false},
		"waiting for what sends no event takes a time": {WaitFor(time.Second, "A", "a"), ctrl.Result{RequeueAfter: time.Second}, false},
		"a person's mistake is not tried again":        {UserError("A", "a"), ctrl.Result{}, false},
		"a fault goes back to the queue's back-off":    {Retry(plain, "A", "a"), ctrl.Result{}, true},
		"so does an error that nobody has typed":       {plain, ctrl.Result{}, true},
		"a wrapped error keeps its type":               {fmt.Errorf("step: %w", UserError("A", "a")), ctrl.Result{}, false},
		"a fault that knows when to try again says so": {&Error{Kind: KindRetry, After: time.Minute}, ctrl.Result{RequeueAfter: time.Minute}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Result(tc.err)
			if diff := cmp.Diff(tc.want, got); diff != "" || (err != nil) != tc.wantErr {
				t.Errorf("error %v; result (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestSetCondition(t *testing.T) {
	steps := []struct {
		name string
		err  error
		want metav1.ConditionStatus
	}{
		{"not yet is not no", Wait("NotYet", "in a moment"), metav1.ConditionUnknown},
		{"success", nil, metav1.ConditionTrue},
		{"once it has been true, waiting means that it is not now", Wait("NotYet", "in a moment"), metav1.ConditionFalse},
		{"a fault", errors.New("boom"), metav1.ConditionFalse},
		{"a person's mistake", UserError("Wrong", "change it"), metav1.ConditionFalse},
	}
	var conditions []metav1.Condition
	for _, s := range steps {
		if !SetCondition(&conditions, "Ready", 1, s.err, "done") {
			t.Errorf("%s: nothing changed", s.name)
		}
		if len(conditions) != 1 || conditions[0].Status != s.want || conditions[0].Reason == "" {
			t.Errorf("%s: %+v, want %s", s.name, conditions, s.want)
		}
		if SetCondition(&conditions, "Ready", 1, s.err, "done") {
			t.Errorf("%s: the second time it changed again", s.name)
		}
	}
}

func TestEarliest(t *testing.T) {
	for name, tc := range map[string]struct{ a, b, want time.Duration }{
		"zero is never":  {0, 0, 0},
		"only the first": {1, 0, 1},
		"only the other": {0, 2, 2},
		"the shorter":    {3, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Earliest(tc.a, tc.b); got != tc.want {
				t.Errorf("Earliest(%d, %d) = %d, want %d", tc.a, tc.b, got, tc.want)
			}
		})
	}
}
