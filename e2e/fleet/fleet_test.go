//go:build chaos

package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	clusters = 8
	// leastKills are so many that each part of the lives meets some.
	leastKills = 30
)

// killedEvery is between which times a manager lives.
var killedEvery = [2]time.Duration{1500 * time.Millisecond, 6 * time.Second}

// fleet is a cloud, and Clusters in it.
type fleet struct {
	testing.TB
	cloud      *openstacksim.Simulator
	team       openstacksim.Project
	kubeconfig []byte
	// dead are nodes that are not Ready, though their servers run.
	dead map[string]bool
}

// life is what happens to one Cluster.
type life struct {
	*fleet
	harness.Life
	cluster *v1alpha1.Cluster
	pool    *v1alpha1.NodePool
	lost    string
}

// TestRule10AFleetWhoseManagersDie has the managers killed at random every few seconds during
// creation, scaling, upgrade, healing and deletion of eight Clusters: in the end everything was as
// asked, each server was made once and for a reason, every Operation has ended, and nothing is left.
func TestRule10AFleetWhoseManagersDie(t *testing.T) {
	f := newFleet(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	m := newManager(t)
	var lives []*life
	for i := range clusters {
		lives = append(lives, f.live(fmt.Sprintf("c%d", i)))
	}
	kills, next := 0, time.Now()
	check(t, harness.AwaitEvery(t.Context(), 100*time.Millisecond, 15*time.Minute, func(context.Context) error {
		f.play()
		var left []error
		for _, l := range lives {
			if what := l.GoOn(t.Context(), t); what != nil {
				left = append(left, what)
			}
		}
		if time.Now().After(next) {
			m.kill()
			m.start()
			kills++
			next = time.Now().Add(killedEvery[0] + time.Duration(random.Int64N(int64(killedEvery[1]-killedEvery[0]))))
		}
		if len(left) > 0 {
			return fmt.Errorf("%d are not done: %v", len(left), left)
		}
		return nil
	}))
	t.Logf("managers were killed %d times", kills)
	if kills < leastKills {
		t.Errorf("managers were killed %d times, want %d at least", kills, leastKills)
	}
	for _, l := range lives {
		l.recorded()
	}
	if leaks := f.cloud.Leaks(f.team.ID); len(leaks) > 0 {
		t.Errorf("left in the cloud: %v", leaks)
	}
	// Two at first, one more, three for the upgrade, and one for the node that was lost.
	if made := f.cloud.Count(front.Match{Service: "compute", Method: "POST", Path: "/servers", Status: 202}); made != clusters*7 {
		t.Errorf("%d servers were made, want 7 for each of %d clusters", made, clusters)
	}
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	cloud, err := openstacksim.Start(openstacksim.Options{})
	check(t, err)
	t.Cleanup(cloud.Close)
	f := &fleet{TB: t, cloud: cloud, team: cloud.AddProject("team"), dead: map[string]bool{}}
	cloud.AddFlavor("b3-4", 2, 4096, 50)
	cloud.AddExternalNetwork("public", "203.0.113.0/24")
	for _, quota := range []string{"instances", "cores", "ram"} {
		cloud.SetQuota(f.team.ID, "compute", quota, -1)
	}
	for _, quota := range []string{"network", "subnet", "router", "port", "security_group", "security_group_rule", "floatingip"} {
		cloud.SetQuota(f.team.ID, "network", quota, -1)
	}
	f.kubeconfig, err = joinWith()
	check(t, err)
	for _, at := range [][2]string{{v1alpha1.SystemNamespace, "paris"}, {"default", "mine"}} {
		check(t, management.Client.Create(t.Context(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: at[0], Name: at[1], Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
			StringData: map[string]string{v1alpha1.CloudsKey: cloud.CloudsYAML(f.team)},
		}))
	}
	infra := &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Spec: v1alpha1.InfrastructureSpec{
		AuthURL: cloud.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: "paris"},
		ExternalNetwork: "public", Flavors: []string{"b3-4"},
	}}
	for _, release := range []string{older, harness.Release} {
		cloud.AddImage("node-"+release, nil)
		infra.Spec.Releases = append(infra.Spec.Releases, v1alpha1.InfrastructureRelease{Release: release, Image: "node-" + release})
	}
	check(t, management.Client.Create(t.Context(), infra))
	return f
}

// live is the life of a Cluster of some name.
func (f *fleet) live(name string) *life {
	f.Helper()
	l := &life{fleet: f, Life: harness.Life{Of: name}}
	l.cluster = &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: v1alpha1.ClusterSpec{
		Version: older, InfrastructureRef: &v1alpha1.LocalReference{Name: "paris"}, CredentialsRef: &v1alpha1.LocalReference{Name: "mine"},
	}}
	l.pool = &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "of-" + name}, Spec: v1alpha1.NodePoolSpec{
		ClusterRef: v1alpha1.LocalReference{Name: name}, Flavor: "b3-4", Replicas: new(int32(2)),
		AutoHeal: v1alpha1.PoolAutoHeal{NotReadyTimeoutSeconds: new(int32(60))},
	}}
	patch := func(object client.Object, text string) func(context.Context) error {
		return func(ctx context.Context) error {
			return management.Client.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(text)))
		}
	}
	l.Steps = []harness.Step{
		{Name: "create", Begin: func(ctx context.Context) error {
			return errors.Join(management.Client.Create(ctx, l.cluster), management.Client.Create(ctx, l.pool))
		}, Done: l.active(2, older)},
		{Name: "scale", Begin: patch(l.pool, `{"spec": {"replicas": 3}}`), Done: l.active(3, older)},
		{Name: "upgrade", Begin: patch(l.cluster, fmt.Sprintf(`{"spec": {"version": %q}}`, harness.Release)), Done: l.active(3, harness.Release)},
		{Name: "heal", Begin: l.kill, Done: l.healed},
		{Name: "delete", Begin: func(ctx context.Context) error { return management.Client.Delete(ctx, l.cluster.DeepCopy()) }, Done: l.gone},
	}
	return l
}

// active is nil when the Cluster and its pool are so, with so many nodes of a release.
func (l *life) active(replicas int32, release string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, p := &v1alpha1.Cluster{}, &v1alpha1.NodePool{}
		err := errors.Join(management.Client.Get(ctx, client.ObjectKeyFromObject(l.cluster), c),
			management.Client.Get(ctx, client.ObjectKeyFromObject(l.pool), p))
		if err != nil {
			return err
		}
		if s := c.Status; s.Phase != v1alpha1.ClusterActive || s.Version != release || s.ObservedGeneration != c.Generation || s.Operation != "" {
			return fmt.Errorf("%s, runs %s: %s", s.Phase, s.Version, s.Message)
		}
		if s := p.Status; s.Phase != v1alpha1.PoolActive || s.ReadyReplicas != replicas || s.Replicas != replicas || s.Version != release || s.Operation != "" || s.ObservedGeneration != p.Generation {
			return fmt.Errorf("pool %s, %d of %d nodes are ready: %s", s.Phase, s.ReadyReplicas, s.Replicas, s.Message)
		}
		return nil
	}
}

func (l *life) machines() []v1alpha1.Machine {
	l.Helper()
	list := &v1alpha1.MachineList{}
	check(l, management.Client.List(context.Background(), list, client.MatchingLabels{v1alpha1.LabelPool: l.pool.Name}))
	return list.Items
}

// kill has a node die.
func (l *life) kill(context.Context) error {
	l.lost = l.machines()[0].Name
	l.dead[l.lost] = true
	return nil
}

// healed is nil when another node is in the place of the one that died.
func (l *life) healed(ctx context.Context) error {
	if slices.ContainsFunc(l.machines(), func(m v1alpha1.Machine) bool { return m.Name == l.lost }) {
		return errors.New("the node is still there")
	}
	return l.active(3, harness.Release)(ctx)
}

// gone is nil when neither the Cluster nor its pool is there.
func (l *life) gone(ctx context.Context) error {
	for _, o := range []client.Object{&v1alpha1.Cluster{ObjectMeta: l.cluster.ObjectMeta}, &v1alpha1.NodePool{ObjectMeta: l.pool.ObjectMeta}} {
		if err := management.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err == nil {
			return fmt.Errorf("%s is there", o.GetName())
		} else if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// recorded checks that all that was done is recorded, once and to its end.
func (l *life) recorded() {
	l.Helper()
	found := map[string]int{}
	for _, op := range harness.AwaitRecords(l, management.Client) {
		target := op.Spec.TargetRef
		if target.Name != l.cluster.Name && target.Name != l.pool.Name {
			continue
		}
		found[fmt.Sprintf("%s %s %s", target.Kind, op.Spec.Type, op.Status.Phase)]++
		if op.Spec.Type == v1alpha1.OperationHeal && !slices.Equal(op.Spec.Nodes, []string{l.lost}) {
			l.Errorf("%s: %v were healed, and only %s was lost", l.cluster.Name, op.Spec.Nodes, l.lost)
		}
	}
	for _, want := range []string{
		"Cluster Create Succeeded", "Cluster Upgrade Succeeded", "Cluster Delete Succeeded",
		"NodePool Create Succeeded", "NodePool Scale Succeeded", "NodePool Heal Succeeded", "NodePool Delete Succeeded",
	} {
		if found[want] != 1 {
			l.Errorf("%s: %d times %q, want once: %v", l.cluster.Name, found[want], want, found)
		}
		delete(found, want)
	}
	if len(found) > 0 {
		l.Errorf("%s: further Operations: %v", l.cluster.Name, found)
	}
}
