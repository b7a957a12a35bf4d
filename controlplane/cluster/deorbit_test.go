package cluster

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// tenant plays the part of a tenant, and counts how often it is asked.
type tenant struct {
	waiting, kept []string
	silent        bool
	asked         int
}

func (a *tenant) ask(_ context.Context, namespace string) (waiting, kept []string, err error) {
	a.asked++
	if a.silent {
		return nil, nil, errors.New("no route to host")
	}
	if namespace != "marina-shop-0d8ec3f1" {
		return nil, nil, errors.New("no such tenant: " + namespace)
	}
	return a.waiting, a.kept, nil
}

// deleted is a world in which a Cluster with a pool is deleted that was ready.
func deleted(t testing.TB, what tenant) *world {
	t.Helper()
	w := newWorld(t)
	w.place(oldVersion)
	w.settle()
	w.tenant = what
	w.delete()
	w.settle()
	return w
}

// deletes reports whether the pools have been told to go.
func (w *world) deletes() bool {
	w.Helper()
	pools := &v1alpha1.NodePoolList{}
	w.must(w.api.List(context.Background(), pools))
	return !slices.ContainsFunc(pools.Items, func(p v1alpha1.NodePool) bool { return p.DeletionTimestamp == nil })
}

func (w *world) gone() bool {
	w.Helper()
	err := w.api.Get(context.Background(), shop, &v1alpha1.Cluster{})
	w.must(client.IgnoreNotFound(err))
	return apierrors.IsNotFound(err)
}

// said are the Events since it was last asked.
func (w *world) said() (found []string) {
	for {
		select {
		case e := <-w.events.Events:
			if strings.Contains(e, "LeftInCloud") || strings.Contains(e, "VolumesKept") {
				found = append(found, e)
			}
		default:
			return found
		}
	}
}

// lastWords is how the deletion ended.
func (w *world) lastWords() string {
	w.Helper()
	list := &v1alpha1.OperationList{}
	w.must(w.api.List(context.Background(), list))
	for _, op := range list.Items {
		if op.Spec.Type == v1alpha1.OperationDelete {
			return op.Status.Message
		}
	}
	return ""
}

var disk = "volume pvc-1 of claim shop/data (in use by pod shop/db-0)"

// Load balancers and volumes go before the nodes.
func TestDeorbit(t *testing.T) {
	w := deleted(t, tenant{waiting: []string{disk, "the load balancer of service shop/web"}})
	if w.deletes() {
		t.Fatal("the nodes go while a volume is in use on them")
	}
	want := "waiting for load balancers and volumes to be deleted, until 2026-03-01T12:10:08Z at the latest: " + disk + ", the load balancer of service shop/web"
	if c := w.readCluster(); c.Status.Phase != v1alpha1.ClusterDeleting || until(c.Status.Message) != until(want) {
		t.Errorf("%s: %s; want Deleting: %s", c.Status.Phase, c.Status.Message, want)
	}
	op := &v1alpha1.Operation{}
	w.must(w.api.Get(context.Background(), client.ObjectKey{Namespace: shop.Namespace, Name: w.readCluster().Status.Operation}, op))
	if st := op.Status.Steps[0]; st.Name != "Load balancers and volumes" || st.Phase != v1alpha1.OperationRunning || !strings.Contains(st.Message, disk) {
		t.Errorf("the first step is %+v, want what is waited for", st)
	}
	w.tenant = tenant{}
	w.settle()
	if !w.gone() || len(w.said()) > 0 {
		t.Errorf("gone %t, and it says %v; want nothing but that it is gone", w.gone(), w.said())
	}
	if diff := cmp.Diff([]string{"1 Create Succeeded 5/5", "1 Delete Succeeded 5/5"}, w.history()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if got := w.lastWords(); got != "nothing is left of the cluster" {
		t.Errorf("it ends with %q", got)
	}
}

// until cuts out a time.
func until(message string) string {
	before, rest, found := strings.Cut(message, "until ")
	if !found {
		return message
	}
	_, after, _ := strings.Cut(rest, "Z ")
	return before + after
}

// Nobody waits for ever, and what is left is named when the Cluster is gone.
func TestDeorbitEnds(t *testing.T) {
	silent := tenant{silent: true}
	cases := map[string]struct {
		what   tenant
		change func(*world)
		after  time.Duration
		ends   bool
		says   string
	}{
		"not before the limit":     {what: tenant{waiting: []string{disk}}, after: 9 * time.Minute},
		"at the limit":             {what: tenant{waiting: []string{disk}}, after: 10 * time.Minute, ends: true, says: "left in the cloud, delete it there: " + disk + " (not gone after 10m)"},
		"not silent for a moment":  {what: silent, after: time.Minute},
		"silent":                   {what: silent, after: 2 * time.Minute, ends: true, says: "look there (the cluster's API server does not answer)"},
		"silent, having told more": {what: tenant{waiting: []string{disk}}, change: func(w *world) { w.tenant = silent; w.settle() }, after: 2 * time.Minute, ends: true, says: "delete it there: " + disk + " (the cluster's API server does not answer)"},
		"not silent at times": {what: silent, change: func(w *world) {
			w.tenant, w.now = tenant{waiting: []string{disk}}, w.now.Add(90*time.Second)
			w.settle()
			w.tenant = silent
			w.settle()
		}, after: 90 * time.Second},
		"silent at the limit": {what: tenant{waiting: []string{disk}}, change: func(w *world) {
			w.now = w.now.Add(9 * time.Minute)
			w.tenant = silent
			w.settle()
		}, after: time.Minute, ends: true, says: "does not answer"},
		"without nodes": {what: tenant{waiting: []string{disk}}, change: func(w *world) {
			w.deletePool("web")
			w.nodePools()
		}, ends: true, says: "delete it there: " + disk + " (there are no nodes any more"},
		"without a control plane": {what: tenant{waiting: []string{disk}}, change: func(w *world) {
			w.must(w.api.DeleteAllOf(context.Background(), &v1alpha1.HostedControlPlane{}, client.InNamespace("marina-shop-0d8ec3f1")))
		}, ends: true, says: "delete it there: " + disk + " (there is no control plane any more"},
		"what is kept":             {what: tenant{kept: []string{"volume pvc-2 (v2)"}}, ends: true, says: "kept in the cloud, as the reclaim policy says or since somebody made them by hand: volume pvc-2 (v2)"},
		"a clock that is set back": {what: tenant{waiting: []string{disk}}, change: func(w *world) { w.now = w.now.Add(-time.Hour); w.settle() }, after: 10 * time.Minute, ends: true, says: disk},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := deleted(t, tc.what)
			if tc.change != nil {
				tc.change(w)
			}
			w.now = w.now.Add(tc.after)
			w.settle()
			if w.gone() != tc.ends {
				t.Fatalf("gone %t, want %t", w.gone(), tc.ends)
			}
			if !tc.ends {
				if w.deletes() {
					t.Error("the nodes go")
				}
				return
			}
			if events := w.said(); len(events) != 1 || !strings.Contains(events[0], tc.says) {
				t.Errorf("the events are %q, want one with %q", events, tc.says)
			}
			if got := w.lastWords(); !strings.HasPrefix(got, "the cluster is gone; ") || !strings.Contains(got, tc.says) {
				t.Errorf("the deletion ends with %q, want %q in it", got, tc.says)
			}
		})
	}
}

// Where nothing can be there, nobody asks, and nothing is written of it.
func TestNothingToDeorbit(t *testing.T) {
	cases := map[string]func(*world){
		"brings its own nodes": (*world).create,
		"has no nodes":         func(w *world) { w.place(oldVersion); w.settle(); w.deletePool("web"); w.nodePools() },
		"was never ready": func(w *world) {
			w.cloud.Status, w.cloud.Reason = "False", "QuotaExceeded"
			w.place(oldVersion)
			w.settle()
			if w.readCluster().Status.ReadySince != nil {
				w.Fatal("it has been ready")
			}
			w.delete()
			w.settle() // until the network is in the way
			w.cloud.Status = ""
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			make(w)
			w.settle()
			w.must(client.IgnoreNotFound(w.api.Delete(context.Background(), &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}})))
			w.settle()
			if !w.gone() || w.tenant.asked > 0 {
				t.Errorf("gone %t, and the tenant was asked %d times; want gone without", w.gone(), w.tenant.asked)
			}
		})
	}
}

// Marina is killed at each write of a deletion that has to wait for a volume.
func TestAKilledMarinaDeorbitsOnce(t *testing.T) {
	killAnywhere(t, func(t testing.TB) *world {
		w := newWorld(t)
		w.place(oldVersion, newVersion)
		w.settle()
		w.tenant.waiting = []string{disk}
		return w
	}, func(w *world) {
		w.delete()
		w.settle()
		if w.deletes() {
			w.Error("the nodes go while a volume is in use on them")
		}
		w.tenant.waiting = nil
	}, []string{"1 Create Succeeded 5/5", "1 Delete Succeeded 5/5"}, true)
}

// An Event is refused whose note is too long.
func TestNote(t *testing.T) {
	if got := note(strings.Repeat("ä", 600)); len(got) > 1024 || !strings.HasSuffix(got, "ä…") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if got := note("short"); got != "short" {
		t.Errorf("%q", got)
	}
}
