package machine

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

const nextRelease = "1.38.0-1"

// rebuild has the server of a Machine made anew for another release, as its pool does.
func (w *world) rebuild(t testing.TB, m *v1alpha1.Machine, id string) {
	t.Helper()
	w.read(t, m)
	before := m.DeepCopy()
	m.Spec.Rebuild = &v1alpha1.Rebuild{ID: id, Release: m.Spec.Template.Release}
	m.Spec.Template.Release = nextRelease
	w.must(t, management.Client.Patch(t.Context(), m, client.MergeFrom(before)))
}

// offerNext has the Infrastructure have another release, and returns its image.
func (w *world) offerNext(t testing.TB) string {
	t.Helper()
	image := w.AddImage("next", nil)
	w.infra.Status.Images = append(w.infra.Status.Images, v1alpha1.InfrastructureImage{Release: nextRelease, ID: image})
	w.must(t, management.Client.Status().Update(t.Context(), w.infra))
	w.SetUp()
	return image
}

// reborn is the life of a Machine whose server is made anew once, which may be stopped at one
// point of that, and the calls of that part.
func reborn(t *testing.T, prepare func(*world)) (*world, []front.Call) {
	w := newWorld(t)
	w.route(t)
	image := w.offerNext(t)
	m := w.machine(t, func(m *v1alpha1.Machine) { m.Spec.Template.FloatingIP = true })
	w.ready(t)
	id, addresses, floating := m.Status.ServerID, slices.Clone(m.Status.Addresses), m.Status.FloatingIPID
	held := w.left()
	w.ResetCalls()
	w.Writes.Store(0)
	prepare(w)
	w.rebuild(t, m, "one")
	w.settle(t, "the rebuild", 5*time.Second, func() bool { return m.Status.Rebuilt == "one" && m.Status.State == v1alpha1.MachineReady })
	calls := w.Calls(front.Match{})
	server, err := w.nova(t).get(t.Context(), id)
	w.must(t, err)
	if server == nil || server.Image["id"] != image || server.Status != "ACTIVE" || m.Status.ImageID != image {
		t.Errorf("the server is %+v, want it to have the image %s", server, image)
	}
	if m.Status.ServerID != id || m.Status.FloatingIPID != floating || !slices.Equal(m.Status.Addresses, addresses) {
		t.Errorf("server %s with %v and %s, was %s with %v and %s", m.Status.ServerID, m.Status.Addresses, m.Status.FloatingIPID, id, addresses, floating)
	}
	w.is(t, m, "Ready", "True", "AsExpected", "")
	w.is(t, m, "ServerReady", "True", "AsExpected", "")
	if n := w.Count(front.Match{Method: "POST", Path: "/servers/{id}/action", Status: 202}); n != 1 {
		t.Errorf("it was made anew %d times, want once: a rebuild whose answer was lost is found", n)
	}
	w.holds(t, held)
	w.dismissed(t)
	return w, calls
}

// A rebuilt server is the same in the cloud, with its port and its addresses, also when Marina
// is stopped at any call of it.
func TestRule16Rebuild(t *testing.T) {
	_, calls := reborn(t, func(*world) {})
	posts := 0
	for _, c := range calls {
		if c.Service == "compute" && c.Method == http.MethodPost {
			posts++
		}
	}
	if posts != 1 {
		t.Fatalf("%d requests change something in a rebuild, want one: %v", posts, calls)
	}
	stopAtAnyCall(t, reborn, calls)
}

// The same for what it writes into the management cluster.
func TestRebuildStoppedAtAnyWrite(t *testing.T) {
	whole, _ := reborn(t, func(*world) {})
	writes := whole.Writes.Load()
	if writes < 6 {
		t.Fatalf("%d writes, want those of the drain, the bootstrap, the request, the server and the end", writes)
	}
	stopAtAnyWrite(t, reborn, writes)
}

// The node joins with other user data, which hold a token of the rebuild's own.
func TestRebuildHasOtherUserData(t *testing.T) {
	w := newWorld(t)
	body := ""
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return apitest.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/action") {
				data, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				body, r.Body = string(data), io.NopCloser(bytes.NewReader(data))
			}
			return next.RoundTrip(r)
		})
	}
	w.restart()
	w.offerNext(t)
	m := w.machine(t)
	w.ready(t)
	var all v1alpha1.NodeBootstrapList
	w.must(t, management.Client.List(t.Context(), &all, client.InNamespace(m.Namespace)))
	if len(all.Items) != 0 {
		t.Fatalf("%d NodeBootstraps of a node that is Ready", len(all.Items))
	}
	w.rebuild(t, m, "one")
	made := false
	w.settle(t, "the rebuild", time.Second, func() bool {
		w.must(t, management.Client.List(t.Context(), &all, client.InNamespace(m.Namespace)))
		made = made || len(all.Items) == 1
		return m.Status.Rebuilt == "one"
	})
	if !made || !strings.Contains(body, `"user_data":"`) || !strings.Contains(body, `"`+keyRebuild+`":"one"`) || !strings.Contains(body, keyMachine) {
		t.Errorf("a NodeBootstrap: %t, and asked for with %.200s", made, body)
	}
	w.dismissed(t)
}

// Before the node is empty nothing is asked of the cloud.
func TestRebuildWaitsForTheDrain(t *testing.T) {
	w := newWorld(t)
	w.offerNext(t)
	m := w.machine(t)
	w.ready(t)
	w.rebuild(t, m, "one")
	w.tell(t, m, v1alpha1.MachineNode{UID: "2", Ready: true, Rebuild: "one", DrainMessage: "waiting for pods to end"})
	w.ResetCalls()
	for range 10 {
		_, err := w.pass(t, m)
		w.must(t, err)
		w.clock.Step(10 * time.Second)
	}
	if n := w.Count(front.Match{Method: "POST", Path: "/servers/{id}/action"}); n != 0 || m.Status.State != v1alpha1.MachineDraining || m.Status.Message != "waiting for pods to end" {
		t.Errorf("asked for %d times, and it is %s: %s", n, m.Status.State, m.Status.Message)
	}
	w.ready(t)
	w.dismissed(t)
}

// A server that fails, or does not come back, stays as it is and says what helps; another
// rebuild makes it a node again.
func TestRebuildFails(t *testing.T) {
	for name, test := range map[string]struct {
		harm   func(*world)
		reason string
	}{
		"Error":     {func(w *world) { w.noJoin = true }, "ServerError"},
		"NotJoined": {func(w *world) { w.noJoin = true }, "RebuildTimeout"},
		"Refused": {func(w *world) {
			w.infra.Status.Images[1].ID = "11111111-7a52-4d9b-9f0c-3b8f2f9a0001"
			if err := management.Client.Status().Update(t.Context(), w.infra); err != nil {
				t.Fatal(err)
			}
		}, "BadRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			image := w.offerNext(t)
			m := w.machine(t)
			w.ready(t)
			id := m.Status.ServerID
			test.harm(w)
			w.rebuild(t, m, "one")
			w.settle(t, "the failure", time.Minute, func() bool {
				if name == "Error" && m.Status.Rebuild.Booted() {
					w.BreakServer(id, "the host has no disk")
				}
				for _, c := range m.Status.Conditions {
					if c.Type == v1alpha1.ConditionServerReady && c.Reason == test.reason {
						return true
					}
				}
				return false
			})
			w.is(t, m, "Ready", "False", test.reason, id)
			w.rounds(t, 10*time.Minute, time.Minute)
			if diff := cmp.Diff([]string{id}, w.Servers()); diff != "" || m.Status.Failures != 0 {
				t.Errorf("%d failures, and servers (-want +got):\n%s", m.Status.Failures, diff)
			}
			w.noJoin = false
			w.infra.Status.Images[1].ID = image
			w.must(t, management.Client.Status().Update(t.Context(), w.infra))
			w.rebuild(t, m, "two")
			w.settle(t, "the other rebuild", 10*time.Second, func() bool { return m.Status.Rebuilt == "two" && m.Status.State == v1alpha1.MachineReady })
			if m.Status.ServerID != id {
				t.Errorf("it is the server %s, was %s", m.Status.ServerID, id)
			}
			w.dismissed(t)
		})
	}
}

// A rebuild that Nova has taken up is not asked for again when somebody takes its metadata away.
func TestRebuildIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	w.offerNext(t)
	m := w.machine(t)
	w.ready(t)
	w.ResetCalls()
	w.rebuild(t, m, "one")
	w.settle(t, "the request", time.Second, func() bool { return m.Status.Rebuild != nil && m.Status.Rebuild.AcceptedAt != nil })
	_, err := servers.ResetMetadata(t.Context(), w.nova(t).ServiceClient, m.Status.ServerID, servers.MetadataOpts{"mine": "yes"}).Extract()
	w.must(t, err)
	w.settle(t, "the rebuild", 5*time.Second, func() bool { return m.Status.Rebuilt == "one" })
	if n := w.Count(front.Match{Method: "POST", Path: "/servers/{id}/action"}); n != 1 {
		t.Errorf("it was asked for %d times", n)
	}
	w.dismissed(t)
}

// A server that was off is made anew and started: Nova leaves it as it found it.
func TestRebuildOfAServerThatIsOff(t *testing.T) {
	w := newWorld(t)
	w.offerNext(t)
	m := w.machine(t)
	w.ready(t)
	w.must(t, servers.Stop(t.Context(), w.nova(t).ServiceClient, m.Status.ServerID).ExtractErr())
	w.settle(t, "the server to be off", time.Minute, func() bool {
		server, err := w.nova(t).get(t.Context(), m.Status.ServerID)
		w.must(t, err)
		return server.Status == "SHUTOFF"
	})
	w.rebuild(t, m, "one")
	w.settle(t, "the rebuild", 5*time.Second, func() bool { return m.Status.Rebuilt == "one" && m.Status.State == v1alpha1.MachineReady })
	w.dismissed(t)
}

// A rebuild that the cloud does not take up is given up after the time that a server has to become
// a node, and asked for no more: nobody expects it later.
func TestRebuildThatIsNotTakenUp(t *testing.T) {
	w := newWorld(t)
	refused := 0
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return apitest.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/action") {
				return next.RoundTrip(r)
			}
			refused++
			return &http.Response{StatusCode: http.StatusConflict, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
				Body: io.NopCloser(strings.NewReader(`{"conflictingRequest":{"code":409,"message":"Instance is locked"}}`))}, nil
		})
	}
	w.restart()
	w.offerNext(t)
	m := w.machine(t)
	w.ready(t)
	w.rebuild(t, m, "one")
	began := w.clock.Now()
	w.settle(t, "the end of its time", time.Minute, func() bool {
		return meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionServerReady).Reason == reasonRebuildTimeout
	})
	if took := w.clock.Now().Sub(began); took < creationTimeout(m) || took > creationTimeout(m)+10*time.Minute {
		t.Errorf("given up after %s, want %s", took, creationTimeout(m))
	}
	w.is(t, m, "ServerReady", "False", reasonRebuildTimeout, "has not been within 30m0s; it is ACTIVE: 'openstack server event list")
	asked := refused
	for range 20 {
		w.clock.Step(time.Minute)
		_, err := w.pass(t, m)
		w.must(t, err)
	}
	if refused != asked || asked == 0 {
		t.Errorf("asked %d times, and %d times when it was given up", asked, refused-asked)
	}
}

// What a node was emptied for is no matter to its deletion: pods may have come since.
func TestRule22ADeletionAfterARebuildWaitsForItsOwnDrain(t *testing.T) {
	m := &v1alpha1.Machine{Status: v1alpha1.MachineStatus{ServerID: "s"}}
	m.Finalizers = []string{v1alpha1.NodeFinalizer}
	for name, tc := range map[string]struct {
		node      v1alpha1.MachineNode
		undrained bool
	}{
		"Emptied":                     {v1alpha1.MachineNode{Drained: true}, false},
		"EmptiedForARebuild":          {v1alpha1.MachineNode{Drained: true, Rebuild: "one"}, true},
		"EmptiedAfterAnEarlierOne":    {v1alpha1.MachineNode{Drained: true, Rebuilt: "one"}, false},
		"NotEmptied":                  {v1alpha1.MachineNode{}, true},
		"EmptiedForOneAfterAnEarlier": {v1alpha1.MachineNode{Drained: true, Rebuild: "two", Rebuilt: "one"}, true},
	} {
		if m.Status.Node = &tc.node; undrained(m) != tc.undrained {
			t.Errorf("%s: %v, want %v", name, undrained(m), tc.undrained)
		}
	}
}
