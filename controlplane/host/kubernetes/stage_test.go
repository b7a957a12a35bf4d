package kubernetes

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func TestStage(t *testing.T) {
	progressing := func(s corev1.ConditionStatus, reason string) []appsv1.DeploymentCondition {
		return []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: s, Reason: reason}}
	}
	for name, tc := range map[string]struct {
		replicas   *int32
		ready      int32
		conditions []appsv1.DeploymentCondition
		want       stage
	}{
		"there is none yet":                       {want: stageFirst},
		"the first is not ready":                  {replicas: ptr.To[int32](1), conditions: progressing(corev1.ConditionTrue, "ReplicaSetUpdated"), want: stageFirst},
		"the first is ready":                      {replicas: ptr.To[int32](1), ready: 1, want: stageNext},
		"the first does not become ready":         {replicas: ptr.To[int32](1), conditions: progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded"), want: stageNext},
		"the first was ready and is not any more": {replicas: ptr.To[int32](1), conditions: progressing(corev1.ConditionTrue, "NewReplicaSetAvailable"), want: stageNext},
		"somebody has paused it":                  {replicas: ptr.To[int32](1), conditions: progressing(corev1.ConditionUnknown, "DeploymentPaused"), want: stageNext},
		"all were started, and none is ready":     {replicas: ptr.To[int32](3), conditions: progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded"), want: stageAll},
		"somebody has taken away one":             {replicas: ptr.To[int32](2), ready: 2, want: stageAll},
		"somebody has stopped all":                {replicas: ptr.To[int32](0), conditions: progressing(corev1.ConditionTrue, "NewReplicaSetAvailable"), want: stageNext},
	} {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: tc.replicas}}
			d.Status.ReadyReplicas, d.Status.Conditions = tc.ready, tc.conditions
			if got := stageOf(d); got != tc.want {
				t.Errorf("stage %d, want %d", got, tc.want)
			}
		})
	}
}

// TestWhatHasNoNodeTakesNoPlace: the scheduler sees to it that what waits for a node does
// not get too little CPU.
func TestWhatHasNoNodeTakesNoPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		pods []corev1.Pod
		want bool
	}{
		"none yet":                     {nil, false},
		"all wait for a node":          {[]corev1.Pod{{}, {}}, true},
		"one has a node":               {[]corev1.Pod{{}, {Spec: corev1.PodSpec{NodeName: "n"}}}, false},
		"it is ready, whatever it has": {[]corev1.Pod{{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unscheduled(tc.pods); got != tc.want {
				t.Errorf("unscheduled: %v, want %v", got, tc.want)
			}
		})
	}
}
