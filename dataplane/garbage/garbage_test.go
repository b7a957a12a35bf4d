package garbage

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

const gone = types.UID("00000000-1111-4d9b-9f0c-3b8f2f9a0001")

// leave makes one of each kind with a mark.
func (w *world) leave(m openstack.Mark) {
	w.Helper()
	w.server(map[string]string{openstack.MetadataCluster: string(m.Cluster), openstack.MetadataMachine: string(m.Owner)}, "")
	w.group(openstack.ServerGroupName("web", m))
	w.address(openstack.FloatingIPKey(m))
}

func (w *world) holds(why string, want map[string]int) {
	w.Helper()
	if diff := cmp.Diff(want, w.left()); diff != "" {
		w.Errorf("%s (-want +got):\n%s", why, diff)
	}
}

// What is left over is deleted when it was seen twice, 15 minutes apart, and three of a kind
// at a time; a controller that has just been started has seen nothing yet.
func TestLeftOver(t *testing.T) {
	w := newWorld(t)
	mine := w.networks[0].Spec.ClusterRef.UID
	for range 4 {
		w.leave(openstack.Mark{Cluster: mine, Owner: gone})
	}
	four := map[string]int{"server": 4, "server group": 4, "floating IP": 4}
	w.after(time.Hour)
	w.holds("seen once", four)
	w.restart()
	w.after(14 * time.Minute)
	w.after(14 * time.Minute)
	w.holds("too early", four)
	w.after(time.Minute)
	w.holds("three of a kind", map[string]int{"server": 1, "server group": 1, "floating IP": 1})
	w.after(15 * time.Minute)
	w.holds("the last ones", map[string]int{})
}

// A server that is older than this process may be a node of a Machine that an old backup of
// the management cluster does not know.
func TestOlderThanTheProcess(t *testing.T) {
	w := newWorld(t)
	w.leave(openstack.Mark{Cluster: w.networks[0].Spec.ClusterRef.UID, Owner: gone})
	w.after(2 * time.Hour)
	w.restart()
	w.reconciler.started = w.clock.Now()
	for range 3 {
		w.after(15 * time.Minute)
	}
	w.holds("what runs no pods goes", map[string]int{"server": 1})
}

// What cannot be deleted keeps nothing else: others have their turn before it is tried again.
func TestLocked(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.leave(openstack.Mark{Cluster: w.networks[0].Spec.ClusterRef.UID, Owner: gone})
	}
	w.after(time.Hour)
	w.Inject(front.Fault{Match: front.Match{Service: "compute", Method: "DELETE", Path: "/servers/{id}"}, Effect: front.Fail(500), Times: 3})
	w.after(15 * time.Minute)
	w.holds("three are refused", map[string]int{"server": 5, "server group": 2, "floating IP": 2})
	w.after(15 * time.Minute)
	w.holds("the others", map[string]int{"server": 3})
}

// What has an owner stays, and what is of others, however much it looks like ours. So does
// what somebody uses.
func TestOthers(t *testing.T) {
	w := newWorld(t)
	mine := w.networks[0].Spec.ClusterRef
	machine := &v1alpha1.Machine{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.networks[0].Namespace, Name: "shop-web-0"},
		Spec:       v1alpha1.MachineSpec{ClusterRef: mine, PoolRef: v1alpha1.PoolReference{Name: "web", UID: "p"}, CreationTimeoutSeconds: 1800},
	}
	w.create(machine)
	pool := &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: mine.Namespace, Name: "web"},
		Spec:       v1alpha1.NodePoolSpec{ClusterRef: v1alpha1.LocalReference{Name: mine.Name}, Flavor: "b3-8"},
	}
	w.create(pool)
	owned := openstack.Mark{Cluster: mine.UID, Owner: machine.UID}
	w.server(map[string]string{openstack.MetadataCluster: string(mine.UID), openstack.MetadataMachine: string(machine.UID)}, "")
	w.address(openstack.FloatingIPKey(owned))
	w.group(openstack.ServerGroupName("web", openstack.Mark{Cluster: mine.UID, Owner: pool.UID}))
	// Of another Marina.
	w.leave(openstack.Mark{Cluster: "99999999-7a52-4d9b-9f0c-3b8f2f9a0001", Owner: gone})
	// Of somebody.
	w.server(map[string]string{openstack.MetadataCluster: string(mine.UID)}, "")
	w.address("marina.dev/cluster-uid=" + string(mine.UID) + " role=router")
	w.group("marina-web-" + string(gone))
	// In use.
	used := w.group(openstack.ServerGroupName("web", openstack.Mark{Cluster: mine.UID, Owner: gone}))
	w.server(nil, used)
	want := w.left()
	for range 5 {
		w.after(15 * time.Minute)
	}
	w.holds("what is not left over", want)
	if n := w.Count(front.Match{Method: "DELETE"}); n > 0 {
		t.Errorf("%d were to be deleted", n)
	}
}

// An owner that the cache does not have yet is looked for past it, and what cannot be read
// has nothing deleted.
func TestReaders(t *testing.T) {
	w := newWorld(t)
	mine := w.networks[0].Spec.ClusterRef
	api, err := client.NewWithWatch(management.Config, client.Options{Scheme: management.Scheme})
	w.must(err)
	var broken error
	empty := func(_ context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		if _, ok := list.(*v1alpha1.MachineList); ok {
			return nil
		}
		return c.List(t.Context(), list, opts...)
	}
	w.cached = interceptor.NewClient(api, interceptor.Funcs{List: empty})
	w.live = interceptor.NewClient(api, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		return errors.Join(broken, c.List(ctx, list, opts...))
	}})
	w.restart()
	machine := &v1alpha1.Machine{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.networks[0].Namespace, Name: "shop-web-0"},
		Spec:       v1alpha1.MachineSpec{ClusterRef: mine, PoolRef: v1alpha1.PoolReference{Name: "web", UID: "p"}, CreationTimeoutSeconds: 1800},
	}
	w.create(machine)
	w.address(openstack.FloatingIPKey(openstack.Mark{Cluster: mine.UID, Owner: machine.UID}))
	for range 3 {
		w.after(15 * time.Minute)
	}
	w.holds("of a Machine that is not in the cache", map[string]int{"floating IP": 1})
	w.must(management.Client.Delete(t.Context(), machine))
	broken = errors.New("the API server is not there")
	for range 3 {
		w.after(15 * time.Minute)
	}
	w.holds("while nobody can be asked", map[string]int{"floating IP": 1})
	broken = nil
	for range 2 {
		w.after(15 * time.Minute)
	}
	w.holds("at last", map[string]int{})
}

// A list that fails has nothing of its kind deleted, and does not keep the others from it.
func TestFailingList(t *testing.T) {
	w := newWorld(t)
	w.leave(openstack.Mark{Cluster: w.networks[0].Spec.ClusterRef.UID, Owner: gone})
	fault := w.Inject(front.Fault{Match: front.Match{Method: "GET", Path: "/servers/detail"}, Effect: front.Fail(403)})
	for range 3 {
		w.after(15 * time.Minute)
	}
	w.holds("servers cannot be listed", map[string]int{"server": 1})
	fault.Remove()
	for range 2 {
		w.after(15 * time.Minute)
	}
	w.holds("they can", map[string]int{})
}

// Two Clusters in a project cost three lists in 15 minutes, and credentials of one that are
// wrong keep nobody from it. What a Cluster leaves that is gone is found too.
func TestTwoClusters(t *testing.T) {
	w := newWorld(t)
	other := w.cluster("missing")
	w.networks[0], w.networks[1] = w.networks[1], w.networks[0]
	w.leave(openstack.Mark{Cluster: other.Spec.ClusterRef.UID, Owner: gone})
	w.after(0)
	w.must(management.Client.Delete(t.Context(), other))
	w.ResetCalls()
	w.after(14 * time.Minute)
	w.after(time.Minute)
	if n := w.Count(front.Match{Method: "GET"}); n != 3 {
		t.Errorf("%d requests in 15 minutes, want 3 lists: %v", n, w.Calls(front.Match{}))
	}
	w.holds("of a Cluster that is gone", map[string]int{})
}

// TestManager runs the controller as the product does: a network wakes it, and one that is not
// in a project yet does not.
func TestManager(t *testing.T) {
	w := newWorld(t)
	w.leave(openstack.Mark{Cluster: w.networks[0].Spec.ClusterRef.UID, Owner: gone})
	w.ResetCalls()
	mgr := apitest.NewManager(t, management, apitest.SecretsOfShard(), 0)
	w.reconciler.Client, w.reconciler.Live = mgr.GetClient(), mgr.GetAPIReader()
	w.must(w.reconciler.SetupWithManager(mgr))
	mgr.Run(t)
	lists := func(context.Context) (bool, error) {
		return w.Count(front.Match{Path: "/servers/detail"}) == 1 && w.Count(front.Match{Path: "/floatingips"}) == 1, nil
	}
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, lists); err != nil {
		t.Errorf("the project is not looked through: %v", w.Calls(front.Match{}))
	}
	w.holds("seen once", map[string]int{"server": 1, "server group": 1, "floating IP": 1})
}
