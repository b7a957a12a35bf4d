package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// operationSpec is that of an operation on a cluster, with further fields.
func operationSpec(kind, more string) string {
	return fmt.Sprintf("{targetRef: {name: a}, type: %s%s}", kind, more)
}

func TestOperationSpec(t *testing.T) {
	cases := map[string]struct {
		spec string
		want []string
	}{
		"Smallest":            {spec: "{targetRef: {name: a}, type: Restart}"},
		"EveryField":          {spec: "{targetRef: {kind: Cluster, name: a, uid: b}, type: Upgrade, version: 1.37.1-1, cancel: true, retryOf: b}"},
		"NoTarget":            {spec: "{type: Restart}", want: says("spec.targetRef: Required value")},
		"TargetWithoutAName":  {spec: "{targetRef: {kind: Cluster}, type: Restart}", want: says("spec.targetRef.name: Required value")},
		"TargetsNameIsEmpty":  {spec: `{targetRef: {name: ""}, type: Restart}`, want: says("spec.targetRef.name", "at least 1 chars")},
		"TargetOfAnotherKind": {spec: "{targetRef: {kind: Secret, name: a}, type: Restart}", want: says(`supported values: "Cluster"`)},
		"EveryFieldOfAPool":   {spec: "{targetRef: {kind: NodePool, name: a, uid: b}, type: Scale, cancel: true, retryOf: b}"},
		"ResyncOfAPool":       {spec: "{targetRef: {kind: NodePool, name: a}, type: Resync}"},
		"RestartOfAPool":      {spec: "{targetRef: {kind: NodePool, name: a}, type: Restart}", want: says("spec.type: Invalid value", "type Restart is for clusters: a node pool can be asked for a Resync")},
		"ScaleOfACluster":     {spec: operationSpec("Scale", ""), want: says("spec.type: Invalid value", "type Scale is for node pools")},
		"NoType":              {spec: "{targetRef: {name: a}}", want: says("spec.type: Required value")},
		"UnknownType":         {spec: operationSpec("Explode", ""), want: says("spec.type: Unsupported value", "RotateCertificates")},
		"RetryOfTooLong":      {spec: operationSpec("Restart", ", retryOf: "+strings.Repeat("a", 254)), want: says("spec.retryOf", "may not be more than 253")},
		"VersionTooLong":      {spec: operationSpec("Upgrade", ", version: "+strings.Repeat("a", 33)), want: says("spec.version", "may not be more than 32")},
	}
	for _, kind := range operationTypes {
		tc := cases["VersionWith"+kind]
		tc.spec = operationSpec(kind, ", version: 1.37.1-1")
		if kind != "Upgrade" {
			tc.want = says("spec: Invalid value: ", "version is for the type Upgrade only")
		}
		cases["VersionWith"+kind] = tc
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("Operation", newName(), tc.spec), user), tc.want)
			})
		}
	})
}

var operationTypes = []string{"Create", "Update", "Upgrade", "Delete", "Resync", "Restart", "RotateCertificates"}

// What was asked for is history: it cannot be written anew.
func TestOperationCannotBeChanged(t *testing.T) {
	const was = "{targetRef: {name: a, uid: u}, type: Upgrade, version: 1.37.1-1, retryOf: r}"
	changed := says("an Operation cannot be changed, except for spec.cancel: create another one")
	cases := map[string]struct {
		to   string
		want []string
	}{
		"Nothing":          {to: was},
		"Cancel":           {to: "{targetRef: {name: a, uid: u}, type: Upgrade, version: 1.37.1-1, retryOf: r, cancel: true}"},
		"TargetsName":      {to: "{targetRef: {name: b, uid: u}, type: Upgrade, version: 1.37.1-1, retryOf: r}", want: changed},
		"TargetsUID":       {to: "{targetRef: {name: a, uid: v}, type: Upgrade, version: 1.37.1-1, retryOf: r}", want: changed},
		"TargetsUIDGone":   {to: "{targetRef: {name: a}, type: Upgrade, version: 1.37.1-1, retryOf: r}", want: changed},
		"Version":          {to: "{targetRef: {name: a, uid: u}, type: Upgrade, version: 1.37.1-9, retryOf: r}", want: changed},
		"VersionGone":      {to: "{targetRef: {name: a, uid: u}, type: Upgrade, retryOf: r}", want: changed},
		"Type":             {to: "{targetRef: {name: a, uid: u}, type: Restart, retryOf: r}", want: changed},
		"RetryOf":          {to: "{targetRef: {name: a, uid: u}, type: Upgrade, version: 1.37.1-1, retryOf: s}", want: changed},
		"RetryOfGone":      {to: "{targetRef: {name: a, uid: u}, type: Upgrade, version: 1.37.1-1}", want: changed},
		"CancelAndAnother": {to: "{targetRef: {name: a, uid: u}, type: Upgrade, version: 1.37.1-9, retryOf: r, cancel: true}", want: changed},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			for way, write := range writes {
				t.Run(name+"/"+way, func(t *testing.T) {
					o := applied(t, s, object("Operation", newName(), was))
					judge(t, write(t.Context(), s, o, tc.to), tc.want)
				})
			}
		}
		for way, write := range writes {
			t.Run("WhatWasLeftOut/"+way, func(t *testing.T) {
				o := applied(t, s, object("Operation", newName(), operationSpec("Restart", "")))
				judge(t, write(t.Context(), s, o, "{targetRef: {name: a}, type: Restart, retryOf: r}"), changed)
			})
		}
	})
}

var finishedPhases = []string{"Succeeded", "Failed", "Cancelled"}

// History is not written anew, not even by an administrator.
func TestAResultStays(t *testing.T) {
	want := says("status.phase: Invalid value: ", "this operation has finished: its result does not change any more")
	onEach(t, func(t *testing.T, s *server) {
		for _, from := range finishedPhases {
			for _, to := range append([]string{"Pending", "Running"}, finishedPhases...) {
				t.Run(from+"/"+to, func(t *testing.T) {
					o := made(t, s, object("Operation", newName(), operationSpec("Restart", "")))
					setStatus(t, s, o, fmt.Sprintf(`{"phase": %q}`, from))
					patch := client.RawPatch(types.MergePatchType, []byte(fmt.Sprintf(`{"status": {"phase": %q, "message": "m"}}`, to)))
					expected := want
					if from == to {
						expected = nil
					}
					judge(t, s.client.Status().Patch(t.Context(), o, patch), expected)
				})
			}
		}
	})
}

// What has begun would go on without a record.
func TestARunningOperationIsNotDeleted(t *testing.T) {
	advice := map[string]string{"Restart": ", or cancel it first ('marina operation cancel ", "Upgrade": ", or cancel it first ('marina operation cancel "}
	onEach(t, func(t *testing.T, s *server) {
		for _, kind := range operationTypes {
			o := made(t, s, object("Operation", newName(), operationSpec(kind, "")))
			if kind == operationTypes[0] {
				setStatus(t, s, o, `{"phase": "Running"}`)
				// A policy is enforced a moment after it has been created.
				await(t, func() error {
					if err := s.client.Delete(t.Context(), o, client.DryRunAll); err == nil {
						return errors.New("the policy is not enforced")
					}
					return nil
				})
			}
			for _, phase := range []string{"Pending", "Running", "Succeeded"} {
				t.Run(kind+"/"+phase, func(t *testing.T) {
					setStatus(t, s, o, fmt.Sprintf(`{"phase": %q}`, phase))
					var want []string
					if phase == "Running" {
						want = says("this operation runs (" + kind + "): wait until it has ended" + advice[kind])
					}
					judge(t, s.client.Delete(t.Context(), o, client.DryRunAll), want)
					judge(t, s.client.DeleteAllOf(t.Context(), o.DeepCopy(), client.InNamespace(o.GetNamespace()), client.MatchingFields{"metadata.name": o.GetName()}, &client.DeleteAllOfOptions{DeleteOptions: client.DeleteOptions{DryRun: []string{"All"}}}), want)
				})
			}
		}
	})
}

// Whoever deletes a project does not wait for what runs in it.
func TestANamespaceTakesItsOperationsAlong(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: newName()}}
		if err := s.client.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		o := object("Operation", newName(), operationSpec("Restart", ""))
		o.SetNamespace(namespace.Name)
		if err := s.client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		setStatus(t, s, o, `{"phase": "Running"}`)
		if err := s.client.Delete(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		// The policy learns of it a moment later.
		await(t, func() error { return s.client.Delete(t.Context(), o, client.DryRunAll) })
		if err := s.client.Delete(t.Context(), o); err != nil {
			t.Error(err)
		}
	})
}

// TestRule07WhoIsCancelledAndWhen has who may be cancelled, and when.
func TestRule07WhoIsCancelledAndWhen(t *testing.T) {
	verdict := func(kind, phase string) []string {
		switch {
		case phase == "Succeeded" || phase == "Failed" || phase == "Cancelled":
			return says("spec.cancel: Invalid value: ", "this operation has finished ("+phase+") and cannot be cancelled")
		case phase != "Running" || kind == "Upgrade" || kind == "Restart":
			return nil
		case kind == "Create":
			return says("spec.cancel: Invalid value: ", "a creation cannot be cancelled: delete the cluster")
		case kind == "Delete":
			return says("spec.cancel: Invalid value: ", "a deletion cannot be taken back")
		default:
			return says("spec.cancel: Invalid value: ", "an operation of type "+kind+" cannot be cancelled once it runs: it ends by itself in a moment")
		}
	}
	onEach(t, func(t *testing.T, s *server) {
		for _, kind := range operationTypes {
			for _, phase := range []string{"", "Pending", "Running", "Succeeded", "Failed", "Cancelled"} {
				t.Run(kind+"/"+phase, func(t *testing.T) {
					o := made(t, s, object("Operation", newName(), operationSpec(kind, "")))
					if phase != "" {
						setStatus(t, s, o, fmt.Sprintf(`{"phase": %q}`, phase))
					}
					judge(t, cancel(t, s, o), verdict(kind, phase))
				})
			}
		}
		for way, write := range writes {
			t.Run("By"+way, func(t *testing.T) {
				o := applied(t, s, object("Operation", newName(), operationSpec("Resync", "")))
				setStatus(t, s, o, `{"phase": "Running"}`)
				judge(t, write(t.Context(), s, live(t, s, o), operationSpec("Resync", ", cancel: true")), verdict("Resync", "Running"))
			})
		}
	})
}

func cancel(t testing.TB, s *server, o *unstructured.Unstructured) error {
	t.Helper()
	return s.client.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"spec": {"cancel": true}}`)), user)
}

func TestCancellationCannotBeTakenBack(t *testing.T) {
	want := says("spec: Invalid value: ", "a cancellation cannot be taken back: create another Operation with retryOf")
	onEach(t, func(t *testing.T, s *server) {
		for to, spec := range map[string]string{"False": ", cancel: false", "Nothing": ""} {
			for way, write := range writes {
				t.Run(to+"/"+way, func(t *testing.T) {
					o := applied(t, s, object("Operation", newName(), operationSpec("Restart", ", cancel: true")))
					judge(t, write(t.Context(), s, o, operationSpec("Restart", spec)), want)
				})
			}
		}
	})
}

// No rule about what users may change may stand in the way of the controller.
func TestControllerCanAlwaysWriteOperations(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		for i, kind := range operationTypes {
			for _, more := range []string{"", ", cancel: true"} {
				t.Run(kind+more, func(t *testing.T) {
					o := made(t, s, object("Operation", newName(), operationSpec(kind, more)))
					for _, phase := range []string{"Pending", "Running", finishedPhases[i%len(finishedPhases)]} {
						setStatus(t, s, o, fmt.Sprintf(`{"phase": %q, "steps": [{"name": "a b", "phase": %q, "message": "m"}]}`, phase, phase))
						patch := client.RawPatch(types.MergePatchType, []byte(fmt.Sprintf(`{"metadata": {"labels": {"phase": %q}}}`, phase)))
						if err := s.client.Patch(t.Context(), o, patch); err != nil {
							t.Errorf("writing metadata in phase %s: %v", phase, err)
						}
					}
					if err := s.client.Delete(t.Context(), o); err != nil {
						t.Error(err)
					}
				})
			}
		}
	})
}

// The command line and the controller find the operations of one cluster in this
// way.
func TestOperationsAreSelectedByTarget(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		target := newName()
		spec := func(kind string) string { return fmt.Sprintf("{targetRef: {name: %s}, type: %s}", target, kind) }
		restart, resync := made(t, s, object("Operation", newName(), spec("Restart"))), made(t, s, object("Operation", newName(), spec("Resync")))
		made(t, s, object("Operation", newName(), operationSpec("Restart", "")))
		selected := func(fields client.MatchingFields) (found []string) {
			t.Helper()
			var list v1alpha1.OperationList
			if err := s.client.List(t.Context(), &list, client.InNamespace(project), fields); err != nil {
				t.Fatal(err)
			}
			for _, o := range list.Items {
				found = append(found, o.Name)
			}
			return found
		}
		if d := cmp.Diff([]string{restart.GetName(), resync.GetName()}, selected(client.MatchingFields{"spec.targetRef.name": target})); d != "" {
			t.Errorf("by target (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{resync.GetName()}, selected(client.MatchingFields{"spec.targetRef.name": target, "spec.type": "Resync"})); d != "" {
			t.Errorf("by target and type (-want +got):\n%s", d)
		}
	})
}

// The refusal of another version names what runs, and what to wait with.
func TestRefusedVersionNamesTheOperation(t *testing.T) {
	cases := map[string]struct {
		status string
		want   string
	}{
		"AnOperationRuns":   {status: `{"phase": "Upgrading", "operation": "a-upgrade-1", "accepted": {"version": "1.36.4-1"}}`, want: "; now it is Upgrading and operation a-upgrade-1 runs: wait for it with 'kubectl wait --for=jsonpath={.status.phase}=Active cluster/NAME'"},
		"NoneRuns":          {status: `{"phase": "Degraded", "accepted": {"version": "1.36.4-1"}}`, want: "; now it is Degraded: wait for it with"},
		"WithoutAPhase":     {status: `{"accepted": {"version": "1.36.4-1"}}`, want: "; now it is new: wait for it with"},
		"WhileItIsUpdating": {status: `{"phase": "Updating", "operation": "a-restart-1", "accepted": {"version": "1.36.4-1"}}`, want: "; now it is Updating and operation a-restart-1 runs: "},
	}
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				o := applied(t, s, object("Cluster", newName(), "{version: 1.36.4-1}"))
				setStatus(t, s, o, tc.status)
				judge(t, writes["MergePatch"](t.Context(), s, live(t, s, o), "{version: 1.36.5-1}"), says("only while the cluster is Active", tc.want))
			})
		}
	})
}
