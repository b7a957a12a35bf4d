package clusters

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestCreate(t *testing.T) {
	a := clitest.NewAPI(t, []client.Object{published("1.36.4-1"), published("1.37.1-9"), published("1.37.1-10")})
	out, errOut, err := run(t, t.Context(), a, "create", "demo", "--pod-cidr", "10.1.0.0/16", "--service-cidr=10.2.0.0/16",
		"--hosting-class", "big", "--cert-san", "a.example,10.0.0.1", "--cert-san", "b.example",
		"--maintenance-window", "Sunday:0", "--auto-upgrade", "Patch")
	if err != nil {
		t.Fatal(err)
	}
	if out != "cluster \"demo\" created\n" || errOut != "" {
		t.Errorf("wrote %q and %q; advice is for people at terminals only", out, errOut)
	}
	got := &v1alpha1.Cluster{}
	if err := a.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "demo"}, got); err != nil {
		t.Fatal(err)
	}
	want := v1alpha1.ClusterSpec{
		HostingClassRef: v1alpha1.LocalReference{Name: "big"},
		Version:         "1.37.1-10", // the newest
		Network:         v1alpha1.TenantNetworkSpec{NetworkSpec: v1alpha1.NetworkSpec{PodCIDR: "10.1.0.0/16", ServiceCIDR: "10.2.0.0/16"}},
		Access:          v1alpha1.AccessSpec{CertSANs: []string{"a.example", "10.0.0.1", "b.example"}},
		Maintenance: v1alpha1.MaintenanceSpec{
			AutoUpgrade: v1alpha1.AutoUpgradePatch, Window: &v1alpha1.MaintenanceWindow{Day: "Sunday", StartHour: new(int32(0))},
		},
	}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The version is the newest of those that nodes may run there.
func TestCreateInAnInfrastructure(t *testing.T) {
	infra := &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}}
	infra.Spec.Releases = []v1alpha1.InfrastructureRelease{{Release: "1.36.4-1"}, {Release: "1.36.4-10"}, {Release: "1.36.4-9"}}
	a := clitest.NewAPI(t, []client.Object{published("1.36.4-10"), published("1.37.1-1"), infra})
	_, _, err := run(t, t.Context(), a, "create", "demo", "--infrastructure", "paris", "--credentials", "mine", "--node-cidr", "192.168.0.0/24")
	if err != nil {
		t.Fatal(err)
	}
	got := &v1alpha1.Cluster{}
	if err := a.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "demo"}, got); err != nil {
		t.Fatal(err)
	}
	want := v1alpha1.ClusterSpec{
		HostingClassRef: v1alpha1.LocalReference{Name: "default"}, Version: "1.36.4-10",
		InfrastructureRef: &v1alpha1.LocalReference{Name: "paris"}, CredentialsRef: &v1alpha1.LocalReference{Name: "mine"},
		Network: v1alpha1.TenantNetworkSpec{NodeCIDR: "192.168.0.0/24"},
	}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, _, err := run(t, t.Context(), a, "create", "other", "--infrastructure", "berlin", "--credentials", "mine"); err == nil {
		t.Error("there is no such infrastructure, and yet it is created")
	}
}

func TestWhatComesAfterACreation(t *testing.T) {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: "team"}}
	if want, got := "marina cluster wait demo -n team", begun(c); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	c.Spec.InfrastructureRef = &v1alpha1.LocalReference{Name: "paris"}
	if want, got := "marina nodepool create workers -n team --cluster demo --flavor FLAVOR", begun(c); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCreateDryRunCreatesNothing(t *testing.T) {
	for mode, want := range map[string]string{"client": "created (dry run)", "server": "created (server dry run)"} {
		a := clitest.NewAPI(t, nil)
		out, _, err := run(t, t.Context(), a, "create", "demo", "--version", "1.37.1-1", "--dry-run="+mode)
		if err != nil || out != "cluster \"demo\" "+want+"\n" {
			t.Errorf("--dry-run=%s wrote %q, %v", mode, out, err)
		}
		var list v1alpha1.ClusterList
		if err := a.List(t.Context(), &list); err != nil || len(list.Items) > 0 {
			t.Errorf("--dry-run=%s left %d clusters, %v", mode, len(list.Items), err)
		}
	}
}

func TestCreateAndWait(t *testing.T) {
	a := clitest.NewAPI(t, []client.Object{published("1.37.1-1")}, becomes(t,
		cluster("demo", v1alpha1.ClusterCreating, metav1.ConditionUnknown, "etcd: waiting"),
		cluster("demo", v1alpha1.ClusterActive, metav1.ConditionTrue, "it serves")))
	out, errOut, err := run(t, t.Context(), a, "create", "demo", "--wait")
	if err != nil {
		t.Fatal(err)
	}
	if want := "cluster \"demo\" created\ncluster \"demo\" is ready\n"; out != want {
		t.Errorf("results are %q, want %q", out, want)
	}
	if want := "demo: Pending: no manager has taken it up yet\ndemo: Creating: etcd: waiting\n"; clitest.WithoutTimes(errOut) != want {
		t.Errorf("progress is %q, want %q", errOut, want)
	}
}

func TestCreateAndWaitPrintsTheReadyObject(t *testing.T) {
	a := clitest.NewAPI(t, []client.Object{published("1.37.1-1")}, becomes(t,
		cluster("demo", v1alpha1.ClusterActive, metav1.ConditionTrue, "it serves")))
	out, _, err := run(t, t.Context(), a, "create", "demo", "--wait", "-o", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out, "apiVersion: marina.dev/v1alpha1\n") || !strings.Contains(out, "phase: Active") {
		t.Errorf("standard output must be the object as it is when ready, and nothing else:\n%s", out)
	}
}

func TestWait(t *testing.T) {
	active := cluster("demo", v1alpha1.ClusterActive, metav1.ConditionTrue, "it serves")
	creating := cluster("demo", v1alpha1.ClusterCreating, metav1.ConditionUnknown, "etcd: waiting")
	broken := cluster("demo", v1alpha1.ClusterError, metav1.ConditionFalse, "no room in etcd")
	cases := map[string]struct {
		objects []client.Object
		onWatch []clitest.Change
		args    []string
		out     string
		problem string
		exit    int
	}{
		"ReadyAlready": {
			objects: []client.Object{active},
			out:     "cluster \"demo\" is ready\n",
		},
		"ReadyLater": {
			objects: []client.Object{creating},
			onWatch: []clitest.Change{becomes(t, active)},
			out:     "cluster \"demo\" is ready\n",
		},
		"PhaseLater": {
			objects: []client.Object{creating},
			onWatch: []clitest.Change{becomes(t, active)},
			args:    []string{"--for=phase=Active"},
			out:     "cluster \"demo\" is Active\n",
		},
		"GoneAlready": {
			args: []string{"--for=deleted"},
			out:  "cluster \"demo\" was deleted\n",
		},
		"ErrorFailsWithTheConditionsMessage": {
			objects: []client.Object{creating},
			onWatch: []clitest.Change{becomes(t, broken)},
			problem: "Error: cluster \"demo\" is in phase Error: no room in etcd\nWhat to do: correct the cause; 'marina cluster get demo -o yaml' shows all conditions\n",
			exit:    1,
		},
		"NoSuchCluster": {
			problem: "Error: no cluster \"demo\" in namespace \"default\"\nWhat to do: 'marina cluster list --all-namespaces' shows what there is\n",
			exit:    1,
		},
		"DeletedInBetween": {
			objects: []client.Object{creating},
			onWatch: []clitest.Change{func(c client.Client) error { return c.Delete(t.Context(), creating.DeepCopy()) }},
			problem: "Error: cluster \"demo\" will not be ready: it has been deleted\n",
			exit:    1,
		},
		"UnknownGoal": {
			args:    []string{"--for=happiness"},
			problem: "Error: --for: \"happiness\" is not something to wait for: choose ready, deleted, phase=PHASE or condition=TYPE\nWhat to do: see 'marina wait --help'\n",
			exit:    2,
		},
		"NegativeTimeout": {
			args:    []string{"--timeout=-1s"},
			problem: "Error: --timeout must not be negative\nWhat to do: see 'marina wait --help'\n",
			exit:    2,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			for _, o := range tc.objects {
				objects = append(objects, o.DeepCopyObject().(client.Object))
			}
			out, _, err := run(t, t.Context(), clitest.NewAPI(t, objects, tc.onWatch...), append([]string{"wait", "demo"}, tc.args...)...)
			if out != tc.out {
				t.Errorf("results are %q, want %q", out, tc.out)
			}
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err != nil && failure.Explain(err).Exit != tc.exit && tc.exit != failure.ExitFailure {
				t.Errorf("exit code %d, want %d", failure.Explain(err).Exit, tc.exit)
			}
		})
	}
}

func TestCreateAndWaitPrintsTheObjectThatFailed(t *testing.T) {
	a := clitest.NewAPI(t, []client.Object{published("1.37.1-1")}, becomes(t,
		cluster("demo", v1alpha1.ClusterError, metav1.ConditionFalse, "no room in etcd")))
	out, _, err := run(t, t.Context(), a, "create", "demo", "--wait", "-o", "yaml")
	if !strings.Contains(out, "phase: Error") {
		t.Errorf("standard output must be the object as it was when the waiting was over:\n%s", out)
	}
	if problem := clitest.Explained(err); !strings.HasPrefix(problem, "Error: cluster \"demo\" is in phase Error: no room in etcd\n") {
		t.Errorf("got %q", problem)
	}
}

func TestInterruptTellsWhatGoesOn(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	a := clitest.NewAPI(t, []client.Object{published("1.37.1-1")}, func(client.Client) error { interrupt(); return nil })
	_, _, err := run(t, ctx, a, "create", "demo", "--wait")
	want := "Error: interrupted\nWhat to do: it goes on being created: 'marina cluster wait demo' waits on\n"
	if diff := cmp.Diff(want, clitest.Explained(err)); diff != "" || failure.Explain(err).Exit != failure.ExitInterrupted {
		t.Errorf("exit code %d (-want +got):\n%s", failure.Explain(err).Exit, diff)
	}
}

func TestDelete(t *testing.T) {
	keep := func(name string) *v1alpha1.Cluster {
		c := cluster(name, v1alpha1.ClusterActive, metav1.ConditionTrue, "")
		c.Finalizers = []string{v1alpha1.ClusterFinalizer}
		return c
	}
	// The manager removes the finalizer.
	release := func(name string) clitest.Change {
		return func(c client.Client) error {
			live := &v1alpha1.Cluster{}
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, live); err != nil {
				return err
			}
			if live.DeletionTimestamp == nil {
				t.Errorf("%s is waited for and was not deleted", name)
			}
			live.Finalizers = nil
			return c.Update(t.Context(), live)
		}
	}
	cases := map[string]struct {
		args    []string
		onWatch []clitest.Change
		out     string
		problem string
	}{
		"WaitsByDefault": {
			args:    []string{"a"},
			onWatch: []clitest.Change{release("a")},
			out:     "cluster \"a\" deleted\n",
		},
		"DoesNotWaitIfAskedNotTo": {
			args: []string{"a", "--wait=false"},
			out:  "cluster \"a\" is being deleted\n",
		},
		"OneThatIsMissingKeepsNoOther": {
			args:    []string{"nope", "a", "b"},
			onWatch: []clitest.Change{release("a"), release("b")},
			out:     "cluster \"a\" deleted\ncluster \"b\" deleted\n",
			problem: "Error: no cluster \"nope\" in namespace \"default\"\nWhat to do: 'marina cluster list --all-namespaces' shows what there is\n",
		},
		"ADryRunDeletesNothingAndWaitsForNothing": {
			args: []string{"a", "b", "--dry-run=server"},
			out:  "cluster \"a\" deleted (server dry run)\ncluster \"b\" deleted (server dry run)\n",
		},
		"ADryRunWaitsForNothingWhenAskedTo": {
			args:    []string{"a", "--dry-run=server", "--wait"},
			problem: "Error: --wait and --dry-run=server exclude each other: nothing is done that could be waited for\nWhat to do: see 'marina delete --help'\n",
		},
		"TheirNames": {
			args:    []string{"a", "b", "-o", "name"},
			onWatch: []clitest.Change{release("a"), release("b")},
			out:     "cluster.marina.dev/a\ncluster.marina.dev/b\n",
		},
		"AnUnknownDryRun": {
			args:    []string{"a", "--dry-run=client"},
			problem: "Error: --dry-run: \"client\" is not known: choose none or server\nWhat to do: see 'marina delete --help'\n",
		},
		"OneThatIsMissingMayBeFine": {
			args: []string{"nope", "--ignore-not-found"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := clitest.NewAPI(t, []client.Object{keep("a"), keep("b")}, tc.onWatch...)
			out, _, err := run(t, t.Context(), a, append([]string{"delete"}, tc.args...)...)
			if out != tc.out {
				t.Errorf("results are %q, want %q", out, tc.out)
			}
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
