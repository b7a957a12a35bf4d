package api

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What a change leaves out stays as it is, above all the number that an autoscaler has set;
// what it empties is emptied. Who replaces the whole object says something of every field, but
// for the number: see below.
func TestRule11WhatIsLeftOutIsKept(t *testing.T) {
	const was = "{clusterRef: {name: mine}, flavor: b3-8, replicas: 3, labels: {a: b}, taints: [{key: c, effect: NoSchedule}]}"
	patch := func(spec string) write {
		return func(ctx context.Context, s *server, o *unstructured.Unstructured, _ string) error {
			return s.client.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(`{"spec": `+spec+`}`)), user)
		}
	}
	labels, taints := map[string]any{"a": "b"}, []any{map[string]any{"key": "c", "effect": "NoSchedule"}}
	for name, tc := range map[string]struct {
		change write
		want   map[string]any
	}{
		"PatchOfAnotherField": {patch(`{"flavor": "b3-16"}`), map[string]any{"flavor": "b3-16", "replicas": int64(7), "labels": labels, "taints": taints}},
		"PatchThatEmpties":    {patch(`{"taints": [], "labels": null}`), map[string]any{"flavor": "b3-8", "replicas": int64(7), "taints": []any{}}},
		"ApplyByAnother": {func(ctx context.Context, s *server, o *unstructured.Unstructured, _ string) error {
			mine := object("NodePool", o.GetName(), "{clusterRef: {name: mine}, flavor: b3-16}")
			return s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(mine), client.FieldOwner("repository"), client.ForceOwnership)
		}, map[string]any{"flavor": "b3-16", "replicas": int64(7), "labels": labels, "taints": taints}},
	} {
		onEach(t, func(t *testing.T, s *server) {
			t.Run(name, func(t *testing.T) {
				o := made(t, s, object("NodePool", newName(), was))
				scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}
				if err := s.client.SubResource("scale").Update(t.Context(), o, client.WithSubResourceBody(scale)); err != nil {
					t.Fatal(err)
				}
				judge(t, tc.change(t.Context(), s, o, ""), nil)
				spec := live(t, s, o).Object["spec"].(map[string]any)
				got := map[string]any{}
				for _, field := range []string{"flavor", "replicas", "labels", "taints"} {
					if value, there := spec[field]; there {
						got[field] = value
					}
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("spec (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A number of nodes that is taken out of a pool is absent then, and not the 1 of a default, which
// would have 19 of 20 nodes deleted. The controller, of which there is none here, finds no number
// and fills in the one that the pool had (TestRule11ReplicasLeftOutAreKept of dataplane/nodepool).
func TestRule11NumberOfNodesThatIsTakenOut(t *testing.T) {
	const was, without = "{clusterRef: {name: mine}, flavor: b3-8, replicas: 20}", "{clusterRef: {name: mine}, flavor: b3-8}"
	scaleTo := func(t *testing.T, s *server, o *unstructured.Unstructured, n int32) *unstructured.Unstructured {
		t.Helper()
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: n}}
		if err := s.client.SubResource("scale").Update(t.Context(), o, client.WithSubResourceBody(scale)); err != nil {
			t.Fatal(err)
		}
		return live(t, s, o)
	}
	for name, tc := range map[string]struct {
		scaled bool
		change write
		owned  bool // whether the number may stay, as it is another's by now
	}{
		"ApplyOfTheOwner": {change: writes["Apply"]},
		"Put":             {change: writes["Update"]},
		// What "kubectl apply" sends for a line that is not in the file any more.
		"Patch":          {change: writes["MergePatch"]},
		"PutOfAScaled":   {scaled: true, change: writes["Update"]},
		"PatchOfAScaled": {scaled: true, change: writes["MergePatch"]},
		// Whose the number is that was scaled is up to the API server: for 1.36 the scaler's, so that
		// it does not go with the owner's line, and for 1.37 the owner's still.
		"ApplyOfTheOwnerOfAScaled": {scaled: true, change: writes["Apply"], owned: true},
	} {
		onEach(t, func(t *testing.T, s *server) {
			t.Run(name, func(t *testing.T) {
				o := applied(t, s, object("NodePool", newName(), was))
				if tc.scaled {
					o = scaleTo(t, s, o, 7)
				}
				judge(t, tc.change(t.Context(), s, o, without), nil)
				o = live(t, s, o)
				if got, there := o.Object["spec"].(map[string]any)["replicas"]; there && (!tc.owned || got != int64(7)) {
					t.Errorf("%v replicas, want none: the controller cannot tell that from a number that is asked for", got)
				}
				// Nobody has to wait for the controller to say another number.
				if got := scaleTo(t, s, o, 5).Object["spec"].(map[string]any)["replicas"]; got != int64(5) {
					t.Errorf("%v replicas after it is scaled, want 5", got)
				}
			})
		})
	}
}
