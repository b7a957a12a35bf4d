//go:build chaos

package pools

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// killedEvery is between which times "marina up" runs undisturbed.
var killedEvery = [2]time.Duration{4 * time.Second, 12 * time.Second}

// life is what happens to a Cluster and its pool.
type life struct {
	*scene
	harness.Life
	cluster *v1alpha1.Cluster
	pool    *v1alpha1.NodePool
	lost    string
}

// TestRule10KilledAgainAndAgain takes two Clusters with nodes through creation, scaling, an upgrade,
// the healing of a node and deletion, while "marina up" is killed every few seconds: in the end
// everything is as asked, each server was made once and for a reason, and nothing is left.
func TestRule10KilledAgainAndAgain(t *testing.T) {
	s := newSceneAt(t, openstacksim.Options{}, olderRelease)
	for _, quota := range []string{"instances", "cores", "ram"} {
		s.cloud.SetQuota(s.team.ID, "compute", quota, -1)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	lives := []*life{s.live(t, "shop"), s.live(t, "stall")}
	limit, kills := time.Now().Add(25*time.Minute), 0
	for next := time.Now(); ; {
		busy := false
		for _, l := range lives {
			busy = l.goOn(t) || busy
		}
		if !busy {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("not done: %v, %v", lives[0].Steps, lives[1].Steps)
		}
		if time.Now().After(next) {
			check(t, s.Kill())
			check(t, s.Start(t.Context()))
			kills++
			next = time.Now().Add(killedEvery[0] + time.Duration(random.Int64N(int64(killedEvery[1]-killedEvery[0]))))
		}
	}
	t.Logf("killed %d times", kills)
	for _, l := range lives {
		harness.Gone(t, s.Marina, l.cluster)
		l.recorded(t)
	}
	s.holds(t, map[string]int{})
	// Two at first, one more, three for the upgrade, and one for the node that was lost.
	if made := s.cloud.Count(front.Match{Service: "compute", Method: "POST", Path: "/servers", Status: 202}); made != 2*7 {
		t.Errorf("%d servers were made, want 7 for each cluster", made)
	}
}

// live is the life of a Cluster of some name; that of the scene is there already.
func (s *scene) live(t testing.TB, name string) *life {
	t.Helper()
	l := &life{scene: s, Life: harness.Life{Of: name}, cluster: s.cluster, pool: &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "of-" + name},
		Spec: v1alpha1.NodePoolSpec{
			ClusterRef: v1alpha1.LocalReference{Name: name}, Flavor: "b3-4", Replicas: new(int32(2)),
			AutoHeal: v1alpha1.PoolAutoHeal{NotReadyTimeoutSeconds: new(int32(60))},
		},
	}}
	if name != s.cluster.Name {
		l.cluster = s.cluster.DeepCopy()
		l.cluster.ObjectMeta = metav1.ObjectMeta{Namespace: "default", Name: name}
		check(t, s.Client.Create(t.Context(), l.cluster))
	}
	patch := func(object client.Object, text string) func(context.Context) error {
		return func(ctx context.Context) error {
			return s.Client.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(text)))
		}
	}
	l.Steps = []harness.Step{
		{Name: "create", Begin: func(ctx context.Context) error {
			return client.IgnoreAlreadyExists(s.Client.Create(ctx, l.pool.DeepCopy()))
		}, Done: l.active(2, olderRelease)},
		{Name: "scale", Begin: patch(l.pool, `{"spec": {"replicas": 3}}`), Done: l.active(3, olderRelease)},
		{Name: "upgrade", Begin: patch(l.cluster, fmt.Sprintf(`{"spec": {"version": %q}}`, harness.Release)), Done: l.active(3, harness.Release)},
		{Name: "heal", Begin: l.kill, Done: l.healed},
		{Name: "delete", Begin: func(ctx context.Context) error {
			return client.IgnoreNotFound(s.Client.Delete(ctx, l.cluster.DeepCopy()))
		}, Done: func(ctx context.Context) error {
			_, err := harness.GetCluster(ctx, s.Marina, name)
			if err == nil {
				return errors.New("it is still there")
			}
			return client.IgnoreNotFound(err)
		}},
	}
	return l
}

// goOn gets on with a life, and reports whether something is left of it. That the API server
// does not answer is no answer.
func (l *life) goOn(t testing.TB) (busy bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := l.GoOn(ctx, t)
	if apierrors.IsInvalid(err) && l.Steps[0].Name != "upgrade" {
		t.Fatal(err)
	}
	return err != nil
}

// active is whether the cluster and its pool are so, with so many nodes of a release.
func (l *life) active(replicas int32, release string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := harness.GetCluster(ctx, l.Marina, l.cluster.Name)
		if err != nil {
			return err
		}
		p := &v1alpha1.NodePool{}
		if err := l.Client.Get(ctx, client.ObjectKeyFromObject(l.pool), p); err != nil {
			return err
		}
		if c.Status.Phase != v1alpha1.ClusterActive || c.Status.Version != release || c.Status.ObservedGeneration != c.Generation || c.Status.Operation != "" {
			return fmt.Errorf("%s: %s", c.Status.Phase, c.Status.Message)
		}
		if st := p.Status; st.Phase != v1alpha1.PoolActive || st.ReadyReplicas != replicas || st.Replicas != replicas || st.Version != release || st.Operation != "" {
			return fmt.Errorf("%s: %s", st.Phase, st.Message)
		}
		return nil
	}
}

// kill ends the kubelet of a node.
func (l *life) kill(ctx context.Context) error {
	machines := &v1alpha1.MachineList{}
	if err := l.Client.List(ctx, machines, client.MatchingLabels{v1alpha1.LabelPool: l.pool.Name}); err != nil {
		return err
	}
	if len(machines.Items) == 0 {
		return errors.New("there is no node")
	}
	l.lost = machines.Items[0].Name
	return l.driver.Stop(ctx, machines.Items[0].Status.ServerID)
}

// healed is whether another node is in the place of the one that was lost.
func (l *life) healed(ctx context.Context) error {
	machines := &v1alpha1.MachineList{}
	if err := l.Client.List(ctx, machines, client.MatchingLabels{v1alpha1.LabelPool: l.pool.Name}); err != nil {
		return err
	}
	if slices.ContainsFunc(machines.Items, func(m v1alpha1.Machine) bool { return m.Name == l.lost }) {
		return errors.New("it is still there")
	}
	return l.active(3, harness.Release)(ctx)
}

// recorded checks that all that was done is recorded, once, and that it has succeeded: each step has
// waited until the one before had ended, so that a kill delays an Operation, and ends none.
func (l *life) recorded(t testing.TB) {
	t.Helper()
	found := map[string]int{}
	for _, op := range harness.AwaitRecords(t, l.Client) {
		target := op.Spec.TargetRef
		if target.Name != l.cluster.Name && target.Name != l.pool.Name {
			continue
		}
		found[fmt.Sprintf("%s %s %s", target.Kind, op.Spec.Type, op.Status.Phase)]++
		if op.Status.Phase != v1alpha1.OperationSucceeded {
			t.Errorf("operation %s (%s) of %s is %s: %s", op.Name, op.Spec.Type, target.Name, op.Status.Phase, op.Status.Message)
		}
		if op.Spec.Type == v1alpha1.OperationHeal && !slices.Equal(op.Spec.Nodes, []string{l.lost}) {
			t.Errorf("%v were healed, and only %s was lost", op.Spec.Nodes, l.lost)
		}
	}
	want := map[string]int{
		"Cluster Create Succeeded": 1, "Cluster Upgrade Succeeded": 1, "Cluster Delete Succeeded": 1,
		"NodePool Create Succeeded": 1, "NodePool Scale Succeeded": 1, "NodePool Heal Succeeded": 1, "NodePool Delete Succeeded": 1,
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("the records of %s (-want +got):\n%s", l.cluster.Name, diff)
	}
}
