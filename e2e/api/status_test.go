package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// oddStates are states that a controller may find or leave behind, one half of
// them only by a fault of its own.
var oddStates = map[string]string{
	"Nothing":                  `{}`,
	"OnlyAPhase":               `{"phase": "Pending"}`,
	"OnlyAnAcceptedVersion":    `{"accepted": {"version": "1.37.0-1"}}`,
	"AcceptedIsEmpty":          `{"phase": "Active", "accepted": {}}`,
	"AcceptedEmptyVersion":     `{"phase": "Active", "accepted": {"version": ""}}`,
	"AcceptedIsNewer":          `{"phase": "Active", "accepted": {"version": "1.38.0-1"}}`,
	"AcceptedIsMuchOlder":      `{"phase": "Degraded", "accepted": {"version": "1.9.9-1"}}`,
	"AcceptedIsOfAnotherMajor": `{"phase": "Error", "accepted": {"version": "2.0.0-1"}}`,
	"AcceptedIsNoVersion":      `{"phase": "Error", "accepted": {"version": "garbage"}}`,
	"AcceptedHasNoBuild":       `{"phase": "Active", "accepted": {"version": "1.37.1"}}`,
	"AcceptedIsNotOffered":     `{"phase": "Active", "accepted": {"version": "1.37.1-99"}}`,
	"Upgrading":                `{"phase": "Upgrading", "accepted": {"version": "1.37.1-1"}, "version": "1.36.4-1"}`,
	"Deleting":                 `{"phase": "Deleting", "accepted": {"version": "1.37.1-1"}}`,
}

// TestControllerCanAlwaysWrite goes from each odd state to each other and back, and
// sets and removes a finalizer in each. No rule about what users may change may
// stand in the way.
func TestControllerCanAlwaysWrite(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		for from, was := range oddStates {
			t.Run(from, func(t *testing.T) {
				o := made(t, s, object("Cluster", newName(), valid))
				setStatus(t, s, o, was)
				for _, change := range []string{`{"finalizers": ["marina.dev/cluster"]}`, `{"finalizers": null, "labels": {"a": "b"}}`} {
					patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata": `+change+`}`))
					if err := s.client.Patch(t.Context(), o, patch); err != nil {
						t.Errorf("writing metadata %s: %v", change, err)
					}
				}
				for to, now := range oddStates {
					typed := &v1alpha1.Cluster{}
					if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(o), typed); err != nil {
						t.Fatal(err)
					}
					typed.Status = v1alpha1.ClusterStatus{}
					if err := json.Unmarshal([]byte(now), &typed.Status); err != nil {
						t.Fatal(err)
					}
					if err := s.client.Status().Update(t.Context(), typed); err != nil {
						t.Errorf("updating the status to %s: %v", to, err)
					}
					back := fmt.Appendf(nil, `[{"op": "add", "path": "/status", "value": %s}]`, was)
					if err := s.client.Status().Patch(t.Context(), o, client.RawPatch(types.JSONPatchType, back)); err != nil {
						t.Errorf("replacing the status of %s: %v", to, err)
					}
				}
			})
		}
	})
}

// An object that is being deleted is no exception: its status tells what it waits
// for, and its finalizer has to come off.
func TestRule06DeletionIsAcceptedInEveryState(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		for name, status := range oddStates {
			t.Run(name, func(t *testing.T) {
				o := object("Cluster", newName(), valid)
				o.SetFinalizers([]string{v1alpha1.ClusterFinalizer})
				made(t, s, o)
				setStatus(t, s, o, status)
				if err := s.client.Delete(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				setStatus(t, s, o, `{"phase": "Deleting"}`)
				if err := s.client.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))); err != nil {
					t.Fatal(err)
				}
				if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(o), o); client.IgnoreNotFound(err) != nil || err == nil {
					t.Errorf("it is still there: %v, %v", o.Object, err)
				}
			})
		}
	})
}

func TestStatusIsValidatedByItself(t *testing.T) {
	condition := func(status, reason string) string {
		return fmt.Sprintf(`{"conditions": [{"type": "Ready", "status": %q, "reason": %q, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}`, status, reason)
	}
	cases := map[string]struct {
		status string
		want   []string
	}{
		"EveryField": {status: `{"phase": "Active", "accepted": {"version": "1.37.1-1"}, "version": "1.37.1-1", "endpoint": "https://a:6443",
			"namespace": "marina-a", "readySince": "2026-01-01T00:00:00Z", "observedGeneration": 3}`},
		"ConditionUnknown":       {status: condition("Unknown", "Creating")},
		"ConditionWithoutReason": {status: condition("True", ""), want: says("reason", "at least 1 chars")},
		"ConditionPerhaps":       {status: condition("Perhaps", "Creating"), want: says("supported values", "Unknown")},
		"UnknownPhase":           {status: `{"phase": "Fine"}`, want: says("supported values", "Degraded")},
		"AcceptedTooLong":        {status: fmt.Sprintf(`{"accepted": {"version": %q}}`, strings.Repeat("1", 33)), want: says("may not be more than 32")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				o := made(t, s, object("Cluster", newName(), valid))
				patch := client.RawPatch(types.MergePatchType, []byte(`{"status": `+tc.status+`}`))
				judge(t, s.client.Status().Patch(t.Context(), o, patch), tc.want)
			})
		}
		t.Run("UsersCannotWriteIt", func(t *testing.T) {
			o := object("Cluster", newName(), valid)
			o.Object["status"] = map[string]any{"phase": "Active", "accepted": map[string]any{"version": "1.38.0-1"}}
			made(t, s, o)
			o.Object["status"] = map[string]any{"phase": "Active"}
			if err := s.client.Update(t.Context(), o, user); err != nil {
				t.Fatal(err)
			}
			if status, found := live(t, s, o).Object["status"]; found {
				t.Errorf("status %v was taken over from a write of the object itself", status)
			}
		})
		t.Run("ItCannotCarryASpec", func(t *testing.T) {
			o := made(t, s, object("Cluster", newName(), valid))
			setSpec(o, "{version: 1.36.4-1}")
			o.Object["status"] = map[string]any{"phase": "Active"}
			if err := s.client.Status().Update(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			typed := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: o.GetName()}}
			if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(typed), typed); err != nil {
				t.Fatal(err)
			}
			if typed.Spec.Version != "1.37.1-1" || typed.Status.Phase != v1alpha1.ClusterActive {
				t.Errorf("version %s and phase %s, want 1.37.1-1 as before and Active", typed.Spec.Version, typed.Status.Phase)
			}
		})
	})
}

func TestComponentStatus(t *testing.T) {
	cases := map[string]struct {
		components string
		want       []string
	}{
		"TwoComponents":   {components: `{"name": "a", "replicas": 3, "ready": 2, "updated": 0}, {"name": "b", "replicas": 3, "ready": 3, "updated": 3, "message": "m"}`},
		"OneNameTwice":    {components: `{"name": "a", "replicas": 3, "ready": 2, "updated": 0}, {"name": "a", "replicas": 3, "ready": 2, "updated": 0}`, want: says("Duplicate value")},
		"NothingButAName": {components: `{"name": "a"}`, want: says("replicas: Required value", "ready: Required value", "updated: Required value")},
		"NoName":          {components: `{"replicas": 3, "ready": 2, "updated": 0}`, want: says("name: Required value")},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				o := made(t, s, object("HostedControlPlane", newName(),
					"{version: 1.37.1-1, clusterRef: {namespace: a, name: b, uid: c}, etcdClusters: [a], exposure: {}, network: {}}"))
				patch := client.RawPatch(types.MergePatchType, []byte(`{"status": {"components": [`+tc.components+`]}}`))
				judge(t, s.client.Status().Patch(t.Context(), o, patch), tc.want)
			})
		}
	})
}
