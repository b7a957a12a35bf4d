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
// what it empties is emptied. Only who replaces the whole object says something of every field.
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
