package session

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestComplete(t *testing.T) {
	builder := fake.NewClientBuilder().WithScheme(Scheme)
	for name, namespace := range map[string]string{"a": "default", "b": "default", "c": "other"} {
		builder.WithObjects(&v1alpha1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: types.UID(name + "-now")},
			Spec:       v1alpha1.ClusterSpec{Version: "1.37.1-1"},
			Status:     v1alpha1.ClusterStatus{Phase: v1alpha1.ClusterActive},
		})
	}
	for name, flavors := range map[string][]string{"paris": {"b3-16", "b3-8"}, "rome": {"c2-7"}} {
		builder.WithObjects(&v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.InfrastructureSpec{
			Region: "RegionOne", Flavors: flavors, Releases: []v1alpha1.InfrastructureRelease{{Release: "1.36.4-9"}, {Release: "1.36.4-10"}, {Release: "1.36.4-11"}},
		}})
	}
	builder.WithObjects(
		&v1alpha1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: "in-rome", Namespace: "elsewhere"},
			Spec:       v1alpha1.ClusterSpec{InfrastructureRef: &v1alpha1.LocalReference{Name: "rome"}},
			Status:     v1alpha1.ClusterStatus{Version: "1.36.4-8"},
		},
		&v1alpha1.NodePool{
			ObjectMeta: metav1.ObjectMeta{Name: "workers", Namespace: "default"},
			Spec:       v1alpha1.NodePoolSpec{ClusterRef: v1alpha1.LocalReference{Name: "a"}},
			Status:     v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolActive},
		},
		&v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "workers", Namespace: "other"}},
	)
	for _, name := range []string{"1.36.4-9", "1.36.4-10", "1.37.0-1"} {
		builder.WithObjects(&v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for name, phase := range map[string]v1alpha1.OperationPhase{"new": "", "runs": v1alpha1.OperationRunning, "failed": v1alpha1.OperationFailed} {
		builder.WithObjects(&v1alpha1.Operation{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
			Spec:       v1alpha1.OperationSpec{Type: v1alpha1.OperationRestart, TargetRef: v1alpha1.OperationTarget{Name: "a", UID: "a-now"}},
			Status:     v1alpha1.OperationStatus{Phase: phase},
		})
	}
	for name, target := range map[string]v1alpha1.OperationTarget{"of-an-earlier-a": {Name: "a", UID: "a-before"}, "of-a-deleted-one": {Name: "x", UID: "x"}} {
		builder.WithObjects(&v1alpha1.Operation{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
			Spec:       v1alpha1.OperationSpec{Type: v1alpha1.OperationRestart, TargetRef: target},
		})
	}
	for name, target := range map[string]v1alpha1.OperationTarget{"of-workers": {Kind: "NodePool", Name: "workers"}, "of-no-pool": {Kind: "NodePool", Name: "a"}} {
		builder.WithObjects(&v1alpha1.Operation{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
			Spec:       v1alpha1.OperationSpec{Type: v1alpha1.OperationScale, TargetRef: target},
		})
	}
	unfinished := func(o *v1alpha1.Operation) bool { return !o.Status.Phase.Finished() }
	c := builder.Build()
	open := func(*cobra.Command) (*Session, error) { return &Session{Client: c, Namespace: "default"}, nil }
	elsewhere := func(*cobra.Command) (*Session, error) { return &Session{Client: c, Namespace: "elsewhere"}, nil }
	broken := func(*cobra.Command) (*Session, error) { return nil, errors.New("no server") }

	cases := map[string]struct {
		complete cobra.CompletionFunc
		args     []string
		cluster  string // the value of --cluster
		want     []cobra.Completion
	}{
		"ClustersOfTheNamespace": {complete: CompleteClusters(open, 1), want: []cobra.Completion{"a\tActive 1.37.1-1", "b\tActive 1.37.1-1"}},
		"NoneAfterTheLast":       {complete: CompleteClusters(open, 1), args: []string{"a"}},
		"NoneTwice":              {complete: CompleteClusters(open, 0), args: []string{"a"}, want: []cobra.Completion{"b\tActive 1.37.1-1"}},
		"VersionsNewestFirst":    {complete: CompleteVersions(open), want: []cobra.Completion{"1.37.0-1", "1.36.4-10", "1.36.4-9"}},
		"ClustersToUpgrade":      {complete: CompleteUpgrades(elsewhere), want: []cobra.Completion{"in-rome\t"}},
		"UpgradesThatAreOffered": {complete: CompleteUpgrades(elsewhere), args: []string{"in-rome"}, want: []cobra.Completion{"1.36.4-10", "1.36.4-9"}},
		"NoUpgradesOfANewOne":    {complete: CompleteUpgrades(open), args: []string{"a"}},
		"OneUpgradeOnly":         {complete: CompleteUpgrades(elsewhere), args: []string{"in-rome", "1.36.4-10"}},
		"OperationsThatFit":      {complete: CompleteOperations(open, unfinished), want: []cobra.Completion{"new\tRestart", "of-workers\tScale", "runs\tRestart Running"}},
		"TargetsOfOperations":    {complete: CompleteTargets(open), want: []cobra.Completion{"a\tActive 1.37.1-1", "b\tActive 1.37.1-1", "workers\tActive of a"}},
		"OneOperationOnly":       {complete: CompleteOperations(open, unfinished), args: []string{"runs"}},
		"PoolsOfTheNamespace":    {complete: CompleteNodePools(open, 1), want: []cobra.Completion{"workers\tActive of a"}},
		"OnePoolOnly":            {complete: CompleteNodePools(open, 1), args: []string{"workers"}},
		"AFlagAfterAName":        {complete: CompleteFlag(CompleteInfrastructures(open, 1)), args: []string{"a"}, want: []cobra.Completion{"paris\tRegionOne", "rome\tRegionOne"}},
		"FlavorsOfAll":           {complete: CompleteFlavors(open, "cluster"), want: []cobra.Completion{"b3-16", "b3-8", "c2-7"}},
		"FlavorsOfTheClusters":   {complete: CompleteFlavors(elsewhere, "cluster"), cluster: "in-rome", want: []cobra.Completion{"c2-7"}},
		"NothingWithoutAServer":  {complete: CompleteClusters(broken, 1)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := &cobra.Command{}
			cmd.Flags().String("cluster", tc.cluster, "")
			got, directive := tc.complete(cmd, tc.args, "")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if directive&cobra.ShellCompDirectiveNoFileComp == 0 {
				t.Error("names of files are not offered")
			}
		})
	}
}
