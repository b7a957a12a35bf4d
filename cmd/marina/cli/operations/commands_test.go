package operations

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// created is the one operation that is there besides op.
func created(t testing.TB, c client.Client) *v1alpha1.Operation {
	t.Helper()
	var list v1alpha1.OperationList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var found []*v1alpha1.Operation
	for i := range list.Items {
		if list.Items[i].Name != key.Name {
			found = append(found, &list.Items[i])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d operations were created, want 1", len(found))
	}
	return found[0]
}

func demo() *v1alpha1.Cluster {
	return &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "demo", UID: "u"}}
}

func TestActions(t *testing.T) {
	for name, kind := range map[string]v1alpha1.OperationType{
		"restart": "Restart", "resync": "Resync", "rotate-certificates": "RotateCertificates",
	} {
		t.Run(name, func(t *testing.T) {
			a := clitest.NewAPI(t, []client.Object{demo()}, becomes(t, operation("", v1alpha1.OperationRunning, "")))
			out, errOut, err := run(t, t.Context(), a, name, "demo")
			if err != nil {
				t.Fatal(err)
			}
			got := created(t, a)
			want := v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: "demo", UID: "u"}, Type: kind}
			if diff := cmp.Diff(want, got.Spec); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if prefix := "demo-" + name + "-"; !strings.HasPrefix(got.Name, prefix) {
				t.Errorf("its name is %s, want %s and something random", got.Name, prefix)
			}
			if out != "operation \""+got.Name+"\" created\n" || errOut != "" {
				t.Errorf("wrote %q and %q", out, errOut)
			}
		})
	}
}

func TestActionOnAPool(t *testing.T) {
	pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "workers", UID: "u"}}
	a := clitest.NewAPI(t, []client.Object{pool}, becomes(t, operation("", v1alpha1.OperationRunning, "")))
	ofPools := func(args ...string) (string, error) {
		out, _, err := clitest.Run(t, t.Context(), a, NodePoolCommands, args...)
		return out, err
	}
	out, err := ofPools("resync", "workers")
	if err != nil {
		t.Fatal(err)
	}
	got := created(t, a)
	want := v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "NodePool", Name: "workers", UID: "u"}, Type: "Resync"}
	if diff := cmp.Diff(want, got.Spec); diff != "" || out != "operation \""+got.Name+"\" created\n" {
		t.Errorf("wrote %q, created (-want +got):\n%s", out, diff)
	}
	if _, err := ofPools("resync", "nobody"); err == nil || !strings.Contains(clitest.Explained(err), `no nodepool "nobody"`) {
		t.Errorf("of a pool that is not there: %v", err)
	}
}

func TestActionOnNodes(t *testing.T) {
	for name, kind := range map[string]v1alpha1.OperationType{"replace": "ReplaceNode", "reboot": "RebootNode", "evict": "EvictNode"} {
		t.Run(name, func(t *testing.T) {
			pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "workers", UID: "u"}}
			a := clitest.NewAPI(t, []client.Object{pool}, becomes(t, operation("", v1alpha1.OperationRunning, "")))
			out, _, err := clitest.Run(t, t.Context(), a, NodePoolCommands, name, "workers", "demo-workers-a", "demo-workers-b")
			if err != nil {
				t.Fatal(err)
			}
			got := created(t, a)
			want := v1alpha1.OperationSpec{
				TargetRef: v1alpha1.OperationTarget{Kind: "NodePool", Name: "workers", UID: "u"}, Type: kind, Nodes: []string{"demo-workers-a", "demo-workers-b"},
			}
			if diff := cmp.Diff(want, got.Spec); diff != "" || out != "operation \""+got.Name+"\" created\n" {
				t.Errorf("wrote %q, created (-want +got):\n%s", out, diff)
			}
			if _, _, err := clitest.Run(t, t.Context(), a, NodePoolCommands, name, "workers"); err == nil || !strings.Contains(err.Error(), "NODE is missing") {
				t.Errorf("without a node: %v", err)
			}
		})
	}
}

func TestActionAndWait(t *testing.T) {
	cases := map[string]struct {
		end     *v1alpha1.Operation
		args    []string
		out     string
		problem string
	}{
		"Succeeds": {
			end: took(operation("", v1alpha1.OperationSucceeded, ""), "3s"),
			out: "operation \"NAME\" created\noperation \"NAME\" succeeded after 3s\n",
		},
		"Fails": {
			end:     operation("", v1alpha1.OperationFailed, "operation x runs"),
			out:     "operation \"NAME\" created\n",
			problem: "Error: operation \"NAME\" failed: operation x runs\nWhat to do: correct the cause; then 'marina operation retry NAME' tries it again\n",
		},
		"PrintsTheObjectThatFailed": {
			end:     operation("", v1alpha1.OperationFailed, "it did not come up"),
			args:    []string{"-o", "name"},
			out:     "operation.marina.dev/NAME\n",
			problem: "Error: operation \"NAME\" failed: it did not come up\nWhat to do: correct the cause; then 'marina operation retry NAME' tries it again\n",
		},
		"PrintsTheFinishedObject": {
			end:  operation("", v1alpha1.OperationSucceeded, ""),
			args: []string{"-o", "name"},
			out:  "operation.marina.dev/NAME\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := clitest.NewAPI(t, []client.Object{demo()}, becomes(t, tc.end))
			out, _, err := run(t, t.Context(), a, append([]string{"restart", "demo", "--wait"}, tc.args...)...)
			generated := created(t, a).Name
			if diff := cmp.Diff(strings.ReplaceAll(tc.out, "NAME", generated), out); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(strings.ReplaceAll(tc.problem, "NAME", generated), clitest.Explained(err)); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNothingIsCreated(t *testing.T) {
	cases := map[string]struct {
		args    string
		phase   v1alpha1.OperationPhase
		out     string
		problem string
	}{
		"ADryRun":       {args: "restart demo --dry-run=server -o yaml", out: "type: Restart\n"},
		"ADryRetry":     {args: "retry op --dry-run=server", phase: v1alpha1.OperationFailed, out: " created (server dry run)\n"},
		"AClientDryRun": {args: "restart demo --dry-run=client", problem: "Error: --dry-run: \"client\" is not known: choose none or server\n"},
		"WaitDryRun":    {args: "restart demo --dry-run=server --wait", problem: "Error: --wait and --dry-run=server exclude each other: nothing is done that could be waited for\n"},
		"NoCluster":     {args: "restart nope", problem: "Error: no cluster \"nope\" in namespace \"default\"\n"},
		"NoOperation":   {args: "retry nope", problem: "Error: no operation \"nope\" in namespace \"default\"\n"},
		"RetryOfSucceeded": {args: "retry op", phase: v1alpha1.OperationSucceeded,
			problem: "Error: operation \"op\" is Succeeded: only one that is Failed or Cancelled can be tried again\nWhat to do: there is nothing left to do\n"},
		"RetryOfRunning": {args: "retry op", phase: v1alpha1.OperationRunning,
			problem: "Error: operation \"op\" is Running: only one that is Failed or Cancelled can be tried again\nWhat to do: wait for its end with 'marina operation watch op'\n"},
		"RetryOfNew": {args: "retry op", problem: "Error: operation \"op\" is Pending: only one that"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := clitest.NewAPI(t, []client.Object{demo(), operation(v1alpha1.OperationRestart, tc.phase, "")})
			out, _, err := run(t, t.Context(), a, strings.Fields(tc.args)...)
			if !strings.HasSuffix(out, tc.out) || tc.out == "" && out != "" {
				t.Errorf("results are %q, want %q", out, tc.out)
			}
			if problem := clitest.Explained(err); !strings.HasPrefix(problem, tc.problem) || tc.problem == "" && problem != "" {
				t.Errorf("the problem is %q, want %q", problem, tc.problem)
			}
			var list v1alpha1.OperationList
			if err := a.List(t.Context(), &list); err != nil || len(list.Items) != 1 {
				t.Errorf("there are %d operations, want the one from before: %v", len(list.Items), err)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	for _, phase := range []v1alpha1.OperationPhase{v1alpha1.OperationFailed, v1alpha1.OperationCancelled} {
		before := operation(v1alpha1.OperationUpgrade, phase, "")
		before.Spec.Version, before.Spec.Cancel, before.Spec.RetryOf = "1.37.1-1", true, "earlier"
		a := clitest.NewAPI(t, []client.Object{before}, becomes(t, operation("", v1alpha1.OperationRunning, "")))
		if _, _, err := run(t, t.Context(), a, "retry", "op"); err != nil {
			t.Fatal(err)
		}
		got := created(t, a)
		want := v1alpha1.OperationSpec{TargetRef: before.Spec.TargetRef, Type: "Upgrade", Version: "1.37.1-1", RetryOf: "op"}
		if diff := cmp.Diff(want, got.Spec); diff != "" {
			t.Errorf("retry of one that is %s (-want +got):\n%s", phase, diff)
		}
		if !strings.HasPrefix(got.Name, "demo-upgrade-") {
			t.Errorf("its name is %s", got.Name)
		}
	}
}

func TestCancel(t *testing.T) {
	const running = v1alpha1.OperationRunning
	cases := map[string]struct {
		args    string
		phase   v1alpha1.OperationPhase
		end     *v1alpha1.Operation
		out     string
		problem string
		dry     bool
	}{
		"WhileItRuns":    {phase: running, out: "operation \"op\" stops at the next safe point; what has been done stays done\n"},
		"BeforeItBegins": {out: "operation \"op\" is cancelled before it begins\n"},
		"DryRun":         {args: "--dry-run=server", phase: running, out: "operation \"op\" cancelled (server dry run)\n", dry: true},
		"AndWait": {
			args: "--wait", phase: running,
			end: operation("", v1alpha1.OperationCancelled, "2 of 9 replicas were restarted"),
			out: "operation \"op\" cancelled: 2 of 9 replicas were restarted\n",
		},
		"TooLate": {
			args: "--wait", phase: running,
			end:     took(operation("", v1alpha1.OperationSucceeded, ""), "3s"),
			problem: "Error: operation \"op\" succeeded after 3s before it could stop\n",
		},
		"Twice": {phase: v1alpha1.OperationCancelled, out: "operation \"op\" cancelled\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var onWatch []clitest.Change
			if tc.end != nil {
				onWatch = append(onWatch, becomes(t, tc.end))
			}
			a := clitest.NewAPI(t, []client.Object{operation(v1alpha1.OperationRestart, tc.phase, "")}, onWatch...)
			out, _, err := run(t, t.Context(), a, append([]string{"cancel", "op"}, strings.Fields(tc.args)...)...)
			if out != tc.out {
				t.Errorf("results are %q, want %q", out, tc.out)
			}
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			live := &v1alpha1.Operation{}
			if err := a.Get(t.Context(), key, live); err != nil || live.Spec.Cancel == tc.dry {
				t.Errorf("spec.cancel is %v, want %v: %v", live.Spec.Cancel, !tc.dry, err)
			}
		})
	}
	_, _, err := run(t, t.Context(), clitest.NewAPI(t, nil), "cancel", "op")
	if want := "Error: no operation \"op\" in namespace"; !strings.HasPrefix(clitest.Explained(err), want) {
		t.Errorf("got %q, want %q", clitest.Explained(err), want)
	}
}
