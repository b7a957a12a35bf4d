package machine

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// route makes a router to the external network.
func (w *world) route(t testing.TB) {
	t.Helper()
	sc, err := w.service(t, w.project, openstack.Network).Service(t.Context(), openstack.Network)
	w.must(t, err)
	router, err := routers.Create(t.Context(), sc, routers.CreateOpts{Name: "out", GatewayInfo: &routers.GatewayInfo{NetworkID: w.external}}).Extract()
	w.must(t, err)
	_, err = routers.AddInterface(t.Context(), sc, router.ID, routers.AddInterfaceOpts{SubnetID: w.network.Status.SubnetID}).Extract()
	w.must(t, err)
	w.network.Status.RouterID, w.network.Status.ExternalNetworkID = router.ID, w.external
	w.must(t, management.Client.Status().Update(t.Context(), w.network))
	w.SetUp()
	w.ResetCalls()
}

// What belongs to others stays as it is, whatever its name is and however much of the
// metadata it has.
func TestOthers(t *testing.T) {
	w := newWorld(t)
	uid := string(w.network.Spec.ClusterRef.UID)
	theirs := []string{
		w.theirs(t, "shop-web-0", nil),
		w.theirs(t, "shop-web-0", map[string]string{keyCluster: uid}),
		w.theirs(t, "shop-web-0", map[string]string{keyCluster: "another", keyMachine: "one"}),
		w.theirs(t, "shop-web-0", map[string]string{keyMachine: "one", keyPool: "web"}),
	}
	w.SetUp()
	w.machine(t)
	w.ready(t)
	w.rounds(t, time.Hour, 5*time.Minute)
	w.holds(t, map[string]int{"server": 1, "port": 1})
	w.dismissed(t)
	left := w.Servers()
	slices.Sort(left)
	slices.Sort(theirs)
	if diff := cmp.Diff(theirs, left); diff != "" {
		t.Errorf("servers of others (-want +got):\n%s", diff)
	}
}

// A second server of a Machine, which was asked for by somebody who has ended meanwhile, is
// deleted, and the first stays.
func TestRule08SecondServer(t *testing.T) {
	w := newWorld(t)
	m := w.machine(t)
	w.ready(t)
	id := m.Status.ServerID
	w.theirs(t, "shop-web-0", map[string]string{keyCluster: string(m.Spec.ClusterRef.UID), keyMachine: string(m.UID)})
	w.rounds(t, 3*time.Minute, 30*time.Second)
	if diff := cmp.Diff([]string{id}, w.Servers()); diff != "" || m.Status.ServerID != id || m.Status.State != v1alpha1.MachineReady {
		t.Errorf("it is %s with server %s (-want +got):\n%s", m.Status.State, m.Status.ServerID, diff)
	}
}

// Metadata edited by hand are written again, with one request, and what others have added
// stays.
func TestMetadata(t *testing.T) {
	w := newWorld(t)
	m := w.machine(t)
	w.ready(t)
	nova := w.nova(t)
	_, err := servers.ResetMetadata(t.Context(), nova.ServiceClient, m.Status.ServerID, servers.MetadataOpts{keyPool: "other", "mine": "yes"}).Extract()
	w.must(t, err)
	w.ResetCalls()
	w.rounds(t, 3*time.Minute, 10*time.Second)
	if n := w.Count(front.Match{Path: "/servers/{id}/metadata", Method: "POST"}); n != 1 {
		t.Errorf("metadata were written %d times, want once", n)
	}
	got, err := servers.Metadata(t.Context(), nova.ServiceClient, m.Status.ServerID).Extract()
	w.must(t, err)
	want := map[string]string{keyCluster: string(m.Spec.ClusterRef.UID), keyMachine: string(m.UID), keyPool: "web", "mine": "yes"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if m.Status.State != v1alpha1.MachineReady {
		t.Errorf("it is %s, want Ready", m.Status.State)
	}
}

// A node with a floating IP has its address from the external network, one, and gives it
// back.
func TestFloatingIP(t *testing.T) {
	w := newWorld(t)
	w.route(t)
	m := w.machine(t, func(m *v1alpha1.Machine) { m.Spec.Template.FloatingIP = true })
	w.ready(t)
	w.restart()
	w.rounds(t, 3*time.Minute, 30*time.Second)
	w.holds(t, map[string]int{"server": 1, "port": 1, "floating IP": 1})
	if a := m.Status.Addresses; len(a) != 2 || a[0][:3] != "10." || a[1][:4] != "203." || m.Status.FloatingIPID == "" {
		t.Errorf("addresses %v, floating IP %q: want one of the subnet, then the floating one", a, m.Status.FloatingIPID)
	}
	if n := w.Count(front.Match{Service: "network", Method: "POST"}); n != 1 {
		t.Errorf("%d floating IPs were asked for, want one", n)
	}
	w.dismissed(t)
}

// A node may be Ready before the list of servers says that its server runs.
func TestReadyBeforeTheList(t *testing.T) {
	w := newWorld(t)
	w.noJoin = true
	m := w.machine(t)
	for range 3 {
		w.round(t, time.Second)
	}
	if m.Status.State != v1alpha1.MachineInstalling || m.Status.Message == "" {
		t.Fatalf("it is %s, %q: want a server that is being built", m.Status.State, m.Status.Message)
	}
	w.tell(t, m, v1alpha1.MachineNode{UID: "2", Ready: true})
	_, err := w.pass(t, m)
	w.must(t, err)
	if m.Status.State != v1alpha1.MachineReady || m.Status.Message != "" {
		t.Errorf("it is %s, %q: want it Ready, and nothing of a server that is being built", m.Status.State, m.Status.Message)
	}
	w.noJoin = false
	w.ready(t)
	w.dismissed(t)
}

// Nothing is deleted before the node is empty, and nothing is asked for where nothing was
// made.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	m := w.machine(t)
	w.ready(t)
	w.dismiss(t, m)
	w.tell(t, m, v1alpha1.MachineNode{Ready: true, DrainMessage: "pod shop/cart is protected by a PodDisruptionBudget"})
	for range 3 {
		_, err := w.pass(t, m)
		w.must(t, err)
		w.clock.Step(time.Minute)
	}
	w.is(t, m, "Deleting", "Unknown", "Draining", "pod shop/cart")
	if m.Status.State != v1alpha1.MachineDraining || w.Count(front.Match{Method: "DELETE"}) > 0 {
		t.Errorf("it is %s: want Draining, and the server to stay", m.Status.State)
	}
	w.dismissed(t)

	w = newWorld(t)
	m = w.machine(t)
	w.dismiss(t, m)
	_, err := w.pass(t, m)
	w.must(t, err)
	if slices.Contains(m.Finalizers, v1alpha1.MachineFinalizer) || w.Count(front.Match{}) > 0 {
		t.Errorf("finalizers %v, %d requests: want the Machine to go without a cloud", m.Finalizers, w.Count(front.Match{}))
	}
}
