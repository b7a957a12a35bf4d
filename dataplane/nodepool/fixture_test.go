package nodepool

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// management is the API server of all tests.
var management *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &management, nil, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

const (
	version = "1.37.1-1"
	next    = "1.38.0-1"
)

// world is a Cluster whose control plane and network are ready, with a pool that is not
// created yet.
type world struct {
	testing.TB
	apitest.Killable
	now        time.Time
	step       time.Duration // between two passes of settle
	infra      *v1alpha1.Infrastructure
	cluster    *v1alpha1.Cluster
	network    *v1alpha1.ClusterNetwork
	pool       *v1alpha1.NodePool
	reconciler *Reconciler
	recorder   *events.FakeRecorder
	suffixes   int

	// lost are the nodes that are not Ready and do not become so, and silent are those of which
	// nobody tells how they are.
	lost, silent map[string]bool

	// behind makes the cache of Machines and Operations late: a pass finds those that there
	// were when the one before it began.
	behind               bool
	cached, latest       *v1alpha1.MachineList
	cachedOps, latestOps *v1alpha1.OperationList
}

var worlds atomic.Int64

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldIn(t, "https://cloud.invalid/v3", "r")
}

func newWorldIn(t testing.TB, authURL, region string) *world {
	t.Helper()
	name := fmt.Sprintf("w%d", worlds.Add(1))
	w := &world{TB: t, now: noon, step: time.Second, lost: map[string]bool{}, silent: map[string]bool{}}
	w.infra = &v1alpha1.Infrastructure{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.InfrastructureSpec{
			AuthURL: authURL, Region: region, CredentialsRef: v1alpha1.LocalReference{Name: "c"}, ExternalNetwork: "public",
			Flavors:  []string{"b3-8", "b3-16", "diskless", "tiny", "small-disk", "imagined"},
			Releases: []v1alpha1.InfrastructureRelease{{Release: version, Image: "a"}, {Release: next, Image: "b"}, {Release: "1.39.0-1", Image: "imagined"}},
		},
	}
	w.cluster = &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "shop"},
		Spec: v1alpha1.ClusterSpec{
			Version: version, InfrastructureRef: &v1alpha1.LocalReference{Name: name}, CredentialsRef: &v1alpha1.LocalReference{Name: "mine"},
		},
	}
	w.network = &v1alpha1.ClusterNetwork{
		ObjectMeta: metav1.ObjectMeta{Namespace: "marina-" + name, Name: "network"},
		Spec: v1alpha1.ClusterNetworkSpec{
			ClusterRef: v1alpha1.ClusterReference{Namespace: name, Name: "shop"}, InfrastructureRef: v1alpha1.LocalReference{Name: name},
			CredentialsRef: v1alpha1.LocalReference{Name: "mine"}, NodeCIDR: "10.250.0.0/22", PodCIDR: "10.244.0.0/16",
		},
	}
	w.pool = &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "web"},
		Spec:       v1alpha1.NodePoolSpec{ClusterRef: v1alpha1.LocalReference{Name: "shop"}, Replicas: new(int32(3)), Flavor: "b3-8"},
	}
	for _, namespace := range []string{name, w.network.Namespace} {
		w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	}
	w.create(w.infra)
	flavor := func(name string, memory, disk int64) v1alpha1.InfrastructureFlavor {
		return v1alpha1.InfrastructureFlavor{Name: name, ID: name, VCPUs: 2, MemoryMiB: memory, DiskGiB: disk}
	}
	w.infra.Status = v1alpha1.InfrastructureStatus{
		ObservedGeneration: 1,
		Flavors:            []v1alpha1.InfrastructureFlavor{flavor("b3-8", 8000, 50), flavor("b3-16", 16000, 100), flavor("diskless", 8000, 0), flavor("tiny", 1999, 50), flavor("small-disk", 8000, 19)},
		Images:             []v1alpha1.InfrastructureImage{{Release: version, ID: "a"}, {Release: next, ID: "b"}},
	}
	w.writeStatus(w.infra)
	w.create(w.cluster)
	w.cluster.Status.Namespace, w.cluster.Status.Version, w.cluster.Status.Phase = w.network.Namespace, version, v1alpha1.ClusterActive
	for _, t := range []string{"ControlPlaneReady", "EtcdReady", "UpToDate"} {
		c := metav1.Condition{Type: t, Status: "True", Reason: "AsExpected", LastTransitionTime: metav1.NewTime(noon.Add(-24 * time.Hour))}
		w.cluster.Status.Conditions = append(w.cluster.Status.Conditions, c)
	}
	w.writeStatus(w.cluster)
	w.network.Spec.ClusterRef.UID = w.cluster.UID
	w.create(w.network)
	w.network.Status = v1alpha1.ClusterNetworkStatus{NetworkID: "n", CIDR: "10.250.0.0/22", RouterID: "r", ExternalNetworkID: "x"}
	w.setNetwork("True", "AsExpected", "nodes can have ports")
	w.restart()
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(obj client.Object) {
	w.Helper()
	w.must(management.Client.Create(w.Context(), obj))
}

func (w *world) writeStatus(obj client.Object) {
	w.Helper()
	w.must(management.Client.Status().Update(w.Context(), obj))
}

func (w *world) setNetwork(status metav1.ConditionStatus, reason, message string) {
	w.Helper()
	meta.SetStatusCondition(&w.network.Status.Conditions, metav1.Condition{Type: "Ready", Status: status, Reason: reason, Message: message})
	w.writeStatus(w.network)
}

// change changes the spec of the pool as a user does.
func (w *world) change(f func(*v1alpha1.NodePoolSpec)) {
	w.Helper()
	w.read()
	f(&w.pool.Spec)
	w.must(management.Client.Update(w.Context(), w.pool))
}

// restart starts a controller that knows nothing of an earlier one.
func (w *world) restart() {
	live := w.Restart(management)
	cached := interceptor.NewClient(live, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if found, ok := list.(*v1alpha1.MachineList); ok && w.behind && w.cached != nil {
				w.cached.DeepCopyInto(found)
				return nil
			}
			if found, ok := list.(*v1alpha1.OperationList); ok && w.behind && w.cachedOps != nil {
				w.cachedOps.DeepCopyInto(found)
				return nil
			}
			return c.List(ctx, list, opts...)
		},
	})
	w.recorder = events.NewFakeRecorder(1000)
	w.reconciler = &Reconciler{Client: cached, Live: live, Now: func() time.Time { return w.now }, Suffix: func() string {
		w.suffixes++
		return fmt.Sprintf("%05d", w.suffixes)
	}, events: w.recorder}
	w.reconciler.Projects = newProjects(w)
}

// pass is one pass, and reads what came of it.
func (w *world) pass() (ctrl.Result, error) {
	w.Helper()
	w.cached, w.latest = w.latest, &v1alpha1.MachineList{Items: w.machines()}
	if w.behind {
		w.cachedOps, w.latestOps = w.latestOps, &v1alpha1.OperationList{Items: w.operations()}
	}
	result, err := w.reconciler.Reconcile(w.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.pool)})
	w.read()
	return result, err
}

func (w *world) mustPass() {
	w.Helper()
	if _, err := w.pass(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) read() {
	w.Helper()
	w.must(client.IgnoreNotFound(management.Client.Get(w.Context(), client.ObjectKeyFromObject(w.pool), w.pool)))
}
