package nodepools

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	groupID   = "6f1ba1d5-8f34-4f2b-bb0a-5d3c8a0f8f10"
	imageID   = "b0a7c2de-8f34-4f2b-bb0a-5d3c8a0f8f11"
	networkID = "0c5d3a80-27a8-4b0a-9d6e-3f1de1b8b7c4"
)

func TestCreate(t *testing.T) {
	cases := map[string]struct {
		args string
		want v1alpha1.NodePoolSpec
	}{
		"OneNode": {
			want: v1alpha1.NodePoolSpec{Replicas: new(int32(1))},
		},
		"Everything": {
			args: "--replicas 3 --disk 50 --zone nova --anti-affinity Hard --floating-ips --security-group " + groupID + " --network " + networkID +
				" --version 1.36.4-1 --image " + imageID +
				" --label tier=db,empty= --label example.com/a=b --taint dedicated=db:NoSchedule --taint spot:PreferNoSchedule,old=:NoExecute --startup-taint drivers:NoExecute" +
				" --auto-heal=false --not-ready-timeout 5m --max-unhealthy 50% --creation-timeout 1h",
			want: v1alpha1.NodePoolSpec{
				Replicas: new(int32(3)), DiskGiB: new(int64(50)), AvailabilityZone: "nova", AntiAffinity: v1alpha1.AntiAffinityHard,
				Version: "1.36.4-1", Image: imageID,
				FloatingIPs: true, SecurityGroups: []string{groupID}, Networks: []string{networkID},
				Labels: map[string]string{"tier": "db", "empty": "", "example.com/a": "b"},
				Taints: []v1alpha1.Taint{
					{Key: "dedicated", Value: "db", Effect: corev1.TaintEffectNoSchedule},
					{Key: "spot", Effect: corev1.TaintEffectPreferNoSchedule},
					{Key: "old", Effect: corev1.TaintEffectNoExecute},
				},
				StartupTaints: []v1alpha1.Taint{{Key: "drivers", Effect: corev1.TaintEffectNoExecute}},
				AutoHeal: v1alpha1.PoolAutoHeal{
					Enabled: new(false), NotReadyTimeoutSeconds: new(int32(300)), MaxUnhealthy: &intstr.IntOrString{Type: intstr.String, StrVal: "50%"},
				},
				CreationTimeoutSeconds: new(int32(3600)),
			},
		},
		"HealedByNumber": {
			args: "--max-unhealthy 2 --heal-action Rebuild",
			want: v1alpha1.NodePoolSpec{Replicas: new(int32(1)), AutoHeal: v1alpha1.PoolAutoHeal{
				Enabled: new(true), Action: v1alpha1.HealRebuild, NotReadyTimeoutSeconds: new(int32(600)), MaxUnhealthy: &intstr.IntOrString{IntVal: 2}, // the API's defaults
			}},
		},
		"InPlace": {
			args: "--upgrade-strategy InPlace",
			want: v1alpha1.NodePoolSpec{Replicas: new(int32(1)), Upgrade: v1alpha1.PoolUpgrade{
				Strategy: v1alpha1.UpgradeInPlace, MaxSurge: new(int32(1)), MaxUnavailable: new(int32(0)), DrainTimeoutSeconds: new(int32(600)),
			}},
		},
		"None": {
			args: "--replicas 0",
			want: v1alpha1.NodePoolSpec{Replicas: new(int32(0))},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			out, errOut, err := p.run(t, nil, append(strings.Fields("create workers --cluster demo --flavor b3-8"), strings.Fields(tc.args)...)...)
			if err != nil {
				t.Fatal(clitest.Explained(err))
			}
			if out != "nodepool \"workers\" created\n" || errOut != "" {
				t.Errorf("wrote %q and %q; advice is for people at terminals only", out, errOut)
			}
			tc.want.ClusterRef.Name, tc.want.Flavor = "demo", "b3-8"
			if tc.want.CreationTimeoutSeconds == nil {
				tc.want.CreationTimeoutSeconds = new(int32(1800)) // the API's default
			}
			if diff := cmp.Diff(tc.want, p.pool(t, "workers").Spec); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMistakesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	const there = "--cluster demo --flavor b3-8 "
	cases := map[string]struct{ args, want string }{
		"NoCluster":            {args: "--flavor b3-8", want: "--cluster is missing: name the cluster that the nodes are of"},
		"NoFlavor":             {args: "--cluster demo", want: "--flavor is missing: name one of the flavors of the cluster's infrastructure"},
		"UnknownStrategy":      {args: there + "--upgrade-strategy inplace", want: `--upgrade-strategy: "inplace" is not known: choose Rolling or InPlace`},
		"UnknownAntiAffinity":  {args: there + "--anti-affinity hard", want: `--anti-affinity: "hard" is not known: choose Soft or Hard`},
		"LabelWithoutKey":      {args: there + "--label =db", want: `--label: "=db" has no key: write key=value`},
		"LabelWithoutValue":    {args: there + "--label db", want: `--label: "db" has no value: write key=value, or db= for an empty one`},
		"LabelTwice":           {args: there + "--label a=1,a=2", want: `--label: a is given twice`},
		"TaintWithoutEffect":   {args: there + "--taint db=yes", want: `--taint: "db=yes" has no effect: write key=value:Effect, with one of NoSchedule, PreferNoSchedule, NoExecute`},
		"TaintWithEmptyEffect": {args: there + "--taint db=yes:", want: `--taint: "db=yes:" has no effect: write key=value:Effect, with one of NoSchedule, PreferNoSchedule, NoExecute`},
		"TaintWithoutKey":      {args: there + "--taint =yes:NoSchedule", want: `--taint: "=yes:NoSchedule" has no key: write key=value:Effect`},
		"HealedAtOnce":         {args: there + "--not-ready-timeout 10s", want: `--not-ready-timeout: 10s is not from 1m to 24h`},
		"UnknownHealAction":    {args: there + "--heal-action reboot", want: `--heal-action: "reboot" is not known: choose Replace or Rebuild`},
		"StartupTaint":         {args: there + "--startup-taint db:Never", want: `--startup-taint: there is no effect "Never": choose one of NoSchedule, PreferNoSchedule, NoExecute`},
		"TaintWithUnknownWord": {args: there + "--taint db:Never", want: `--taint: there is no effect "Never": choose one of NoSchedule, PreferNoSchedule, NoExecute`},
		"UnknownFormat":        {args: there + "-o wide", want: `-o: unknown format "wide": choose one of yaml, json, name`},
		"WaitForADryRun":       {args: there + "--wait --dry-run=server", want: "--wait and --dry-run=server exclude each other: nothing is done that could be waited for"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			root := &cobra.Command{Use: "marina"}
			root.AddCommand(newCreate(func(*cobra.Command) (*session.Session, error) {
				t.Error("the management cluster is asked")
				return nil, errors.New("the management cluster is asked")
			}))
			_, _, err := clitest.Execute(t.Context(), root, append([]string{"create", "workers"}, strings.Fields(tc.args)...)...)
			if diff := cmp.Diff("Error: "+tc.want+"\nWhat to do: see 'marina create --help'\n", clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if code := failure.Explain(err).Exit; code != failure.ExitUsage {
				t.Errorf("exit code %d, want %d", code, failure.ExitUsage)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	p := newProject(t)
	p.addPool(t, "there", "demo")
	cases := map[string]struct{ args, want string }{
		"NoSuchCluster": {
			args: "workers --cluster demi",
			want: "Error: no cluster \"demi\" in namespace \"" + p.namespace + "\"\nWhat to do: 'marina cluster list --all-namespaces' shows what there is\n",
		},
		"ThereAlready": {
			args: "there --cluster demo",
			want: "Error: nodepool \"there\" exists already\nWhat to do: choose another name, or look at it with 'marina nodepool get'\n",
		},
		"MoreThanHostsAreGuaranteed": {
			args: "workers --cluster demo --anti-affinity Hard --replicas 6",
			want: "Error: nodepool \"workers\" is refused: spec.replicas: a pool with hard anti-affinity has at most 5 nodes, each on a host of its own: ask for fewer nodes, or use antiAffinity Soft\n",
		},
		"TooLongAName": {
			args: "workers-of-the-whole-world --cluster demo",
			want: "Error: nodepool \"workers-of-the-whole-world\" is refused: a pool's name has at most 20 characters, starts with a letter and holds only lower-case letters, digits and '-' (not at its end): choose another one\n",
		},
		"ANameInsteadOfAnID": {
			args: "workers --cluster demo --security-group web",
			want: "Error: nodepool \"workers\" is refused: spec.securityGroups: securityGroups holds ids and not names: 'openstack security group list' shows them\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, _, err := p.run(t, nil, append(strings.Fields("create --flavor b3-8"), strings.Fields(tc.args)...)...)
			if diff := cmp.Diff(tc.want, clitest.Explained(err)); diff != "" || out != "" {
				t.Errorf("wrote %q (-want +got):\n%s", out, diff)
			}
		})
	}
}

func TestCreateDryRunCreatesNothing(t *testing.T) {
	p := newProject(t)
	for mode, want := range map[string]string{"client": "created (dry run)", "server": "created (server dry run)"} {
		out, _, err := p.run(t, nil, "create", "workers", "--cluster", "demo", "--flavor", "b3-8", "--dry-run="+mode)
		if err != nil || out != "nodepool \"workers\" "+want+"\n" {
			t.Errorf("--dry-run=%s wrote %q, %v", mode, out, err)
		}
	}
	var list v1alpha1.NodePoolList
	if err := p.List(t.Context(), &list, client.InNamespace(p.namespace)); err != nil || len(list.Items) > 0 {
		t.Errorf("there are %d pools, %v", len(list.Items), err)
	}
	// It can be written before there is a cluster.
	out, _, err := p.run(t, nil, "create", "workers", "--cluster", "later", "--flavor", "b3-8", "--dry-run=client", "-o", "yaml")
	want := `apiVersion: marina.dev/v1alpha1
kind: NodePool
metadata:
  name: workers
  namespace: ` + p.namespace + `
spec:
  clusterRef:
    name: later
  flavor: b3-8
  replicas: 1
`
	if diff := cmp.Diff(want, out); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
