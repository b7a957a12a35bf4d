package network

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What others have put into the network keeps it, whole, and is named; it goes when that has
// gone.
func TestBlockedDeletion(t *testing.T) {
	for name, test := range map[string]struct {
		// block puts something there, and returns what takes it away again.
		block func(testing.TB, *world, *cloud) func() error
		words string
	}{
		"APort": {
			block: func(t testing.TB, w *world, c *cloud) func() error {
				p, err := ports.Create(t.Context(), c.ServiceClient, ports.CreateOpts{NetworkID: w.network.Status.NetworkID, DeviceOwner: "Octavia", DeviceID: "lb-1"}).Extract()
				w.must(t, err)
				return func() error { return ports.Delete(t.Context(), c.ServiceClient, p.ID).ExtractErr() }
			},
			words: " of Octavia lb-1: delete what that belongs to",
		},
		"FivePorts": {
			block: func(t testing.TB, w *world, c *cloud) func() error {
				var ids []string
				for range 5 {
					p, err := ports.Create(t.Context(), c.ServiceClient, ports.CreateOpts{NetworkID: w.network.Status.NetworkID}).Extract()
					w.must(t, err)
					ids = append(ids, p.ID)
				}
				return func() error {
					for _, id := range ids {
						if err := ports.Delete(t.Context(), c.ServiceClient, id).ExtractErr(); err != nil {
							return err
						}
					}
					return nil
				}
			},
			words: " and 2 more: delete what that belongs to",
		},
		"APortWithTheGroup": {
			block: func(t testing.TB, w *world, c *cloud) func() error {
				other, _ := w.AddNetwork(w.project.ID, "other", "192.168.8.0/24")
				groups := []string{w.network.Status.NodeSecurityGroupID}
				p, err := ports.Create(t.Context(), c.ServiceClient, ports.CreateOpts{NetworkID: other, SecurityGroups: &groups}).Extract()
				w.must(t, err)
				return func() error { return ports.Delete(t.Context(), c.ServiceClient, p.ID).ExtractErr() }
			},
			words: "the network is in use by port ",
		},
		"AnotherSubnetOnTheRouter": {
			block: func(t testing.TB, w *world, c *cloud) func() error {
				_, subnet := w.AddNetwork(w.project.ID, "other", "192.168.8.0/24")
				_, err := routers.AddInterface(t.Context(), c.ServiceClient, w.network.Status.RouterID, routers.AddInterfaceOpts{SubnetID: subnet}).Extract()
				w.must(t, err)
				return func() error {
					_, err := routers.RemoveInterface(t.Context(), c.ServiceClient, w.network.Status.RouterID, routers.RemoveInterfaceOpts{SubnetID: subnet}).Extract()
					return err
				}
			},
			words: "(192.168.8.1) of network:router_interface ",
		},
		"AFloatingIPOnAPort": {
			block: func(t testing.TB, w *world, c *cloud) func() error {
				p, err := ports.Create(t.Context(), c.ServiceClient, ports.CreateOpts{NetworkID: w.network.Status.NetworkID}).Extract()
				w.must(t, err)
				ip, err := floatingips.Create(t.Context(), c.ServiceClient, floatingips.CreateOpts{FloatingNetworkID: w.external, PortID: p.ID}).Extract()
				w.must(t, err)
				return func() error {
					if err := floatingips.Delete(t.Context(), c.ServiceClient, ip.ID).ExtractErr(); err != nil {
						return err
					}
					return ports.Delete(t.Context(), c.ServiceClient, p.ID).ExtractErr()
				}
			},
			words: "the network is in use by port ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).create(t).ready(t)
			free := test.block(t, w, w.neutron(t))
			before := w.left()
			w.dismiss(t)
			result, err := w.pass(t)
			if err != nil || result.RequeueAfter != time.Minute {
				t.Errorf("it looks again after %s, %v; want a minute", result.RequeueAfter, err)
			}
			w.is(t, "Deleting", "Unknown", "PortsInUse", test.words)
			w.holds(t, before)
			version := w.network.ResourceVersion
			_, err = w.later(t, time.Minute)
			w.must(t, err)
			if w.network.ResourceVersion != version {
				t.Errorf("a second pass writes: %+v", w.network.Status)
			}
			w.must(t, free())
			_, err = w.later(t, time.Minute)
			w.must(t, err)
			if !w.gone(t) {
				t.Errorf("it is there: %+v", w.network.Status)
			}
			w.holds(t, map[string]int{})
		})
	}
}

// Without credentials that are let in nothing is forgotten: it says what to do. One that is
// deleted with its namespace gets them from an administrator.
func TestDeletionWithoutCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		take, give    func(testing.TB, *world)
		reason, words string
	}{
		"Gone": {
			take:   func(t testing.TB, w *world) { w.give(t, "") },
			give:   func(t testing.TB, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason: "SecretNotFound", words: "create it, with the key clouds.yaml",
		},
		"GoneWithTheNamespace": {
			take: func(t testing.TB, w *world) { w.give(t, "") },
			give: func(t testing.TB, w *world) {
				w.must(t, management.Client.Create(t.Context(), &corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Namespace: w.network.Namespace, Name: "openstack"},
					Data:       map[string][]byte{"clouds.yaml": []byte(w.CloudsYAML(w.project))},
				}))
			},
			reason: "SecretNotFound", words: "if its namespace is going away, an administrator can create it as marina-",
		},
		"Refused": {
			take: func(_ testing.TB, w *world) { w.SetPassword(w.project, "secret of somebody") },
			give: func(t testing.TB, w *world) {
				w.project.Password = "secret of somebody"
				w.give(t, w.CloudsYAML(w.project))
			},
			reason: "Unauthorized", words: "replace the credentials in Secret ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).create(t).ready(t)
			test.take(t, w)
			w.dismiss(t)
			result, err := w.pass(t)
			if err != nil || result.RequeueAfter != time.Minute {
				t.Errorf("it looks again after %s, %v; want a minute", result.RequeueAfter, err)
			}
			w.is(t, "Deleting", "False", test.reason, test.words)
			if w.gone(t) {
				t.Fatal("it is gone, and what it has made is not")
			}
			test.give(t, w)
			_, err = w.later(t, time.Minute)
			w.must(t, err)
			if !w.gone(t) {
				t.Errorf("it is there: %+v", w.network.Status)
			}
			w.holds(t, map[string]int{})
		})
	}
}

// Where nothing was made there is nothing to be asked.
func TestDeletionBeforeAnythingWasMade(t *testing.T) {
	w := newWorld(t).create(t)
	w.give(t, "")
	_, err := w.pass(t)
	w.must(t, err)
	w.is(t, "Ready", "False", "SecretNotFound", "")
	w.dismiss(t)
	_, err = w.pass(t)
	w.must(t, err)
	if n := w.Count(front.Match{}); n > 0 || !w.gone(t) {
		t.Errorf("%d requests, gone: %v; want none, and that it is", n, w.gone(t))
	}
}

// The network of a Cluster that lives stays, whoever has deleted the ClusterNetwork.
func TestANetworkOutlivesEverythingButItsCluster(t *testing.T) {
	w := newWorld(t)
	owner := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: w.secret.Namespace, Name: "shop"}}
	owner.Spec.Version = "1.37.1-1"
	w.must(t, management.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: owner.Namespace}}))
	w.must(t, management.Client.Create(t.Context(), owner))
	w.network.Spec.ClusterRef.UID = owner.UID
	w.create(t).ready(t)

	w.dismiss(t)
	result, err := w.pass(t)
	if err != nil || result.RequeueAfter != 30*time.Second {
		t.Errorf("it looks again after %s, %v; want 30 s: no event tells of the Cluster", result.RequeueAfter, err)
	}
	w.is(t, "Deleting", "Unknown", "ClusterNotDeleted", "run 'kubectl -n "+owner.Namespace+" delete cluster shop'")
	w.holds(t, whole)
	w.must(t, management.Client.Delete(t.Context(), owner))
	_, err = w.later(t, 30*time.Second)
	w.must(t, err)
	w.holds(t, map[string]int{})
}

// The ports that Neutron itself has in a network go with it.
func TestNeutronsOwnPortsBlockNothing(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	c := w.neutron(t)
	_, err := ports.Create(t.Context(), c.ServiceClient, ports.CreateOpts{NetworkID: w.network.Status.NetworkID, DeviceOwner: "network:dhcp"}).Extract()
	w.must(t, err)
	found := &remains{}
	found.ports, err = c.ports(t.Context(), ports.ListOpts{NetworkID: w.network.Status.NetworkID})
	w.must(t, err)
	found.routers, err = c.routers("").Find(t.Context())
	w.must(t, err)
	if err := found.blocked(); err != nil || len(found.ports) != 2 {
		t.Errorf("%v of %d ports, want nothing of 2", err, len(found.ports))
	}
}

// What Neutron knows to be in the way, and has not shown before, is said in its words.
func TestNeutronRefusesToDelete(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	w.Inject(front.Fault{Match: front.Match{Method: "DELETE", Path: "/routers/{id}"}, Effect: front.Fail(409), Times: 1})
	w.dismiss(t)
	_, err := w.pass(t)
	w.must(t, err)
	w.is(t, "Deleting", "Unknown", "InUse", "network: Conflict (HTTP 409): delete what uses it, such as floating IPs")
	_, err = w.later(t, time.Minute)
	w.must(t, err)
	w.holds(t, map[string]int{})
}

// A network that somebody else has deleted halfway, with the subnet gone, is no hindrance.
func TestHalfIsGone(t *testing.T) {
	w := newWorld(t).create(t).ready(t)
	c, s := w.neutron(t), w.network.Status
	_, err := routers.RemoveInterface(t.Context(), c.ServiceClient, s.RouterID, routers.RemoveInterfaceOpts{SubnetID: s.SubnetID}).Extract()
	w.must(t, err)
	w.must(t, subnets.Delete(t.Context(), c.ServiceClient, s.SubnetID).ExtractErr())
	w.must(t, networks.Delete(t.Context(), c.ServiceClient, s.NetworkID).ExtractErr())
	w.dismiss(t)
	_, err = w.pass(t)
	w.must(t, err)
	w.holds(t, map[string]int{})
	if !w.gone(t) {
		t.Errorf("it is there: %+v", w.network.Status)
	}
}

// A Machine that has something in the cloud keeps the network, which is the way to it.
func TestDeletionWaitsForMachines(t *testing.T) {
	w := newWorld(t).create(t)
	w.ready(t)
	m := &v1alpha1.Machine{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.network.Namespace, Name: "shop-web-1", Finalizers: []string{v1alpha1.MachineFinalizer}},
		Spec:       v1alpha1.MachineSpec{ClusterRef: w.network.Spec.ClusterRef, PoolRef: v1alpha1.PoolReference{Name: "web", UID: "1"}},
	}
	w.must(t, management.Client.Create(t.Context(), m))
	m.Status.ProjectID = w.project.ID
	w.must(t, management.Client.Status().Update(t.Context(), m))
	w.must(t, management.Client.Delete(t.Context(), w.network.DeepCopy()))
	_, err := w.pass(t)
	w.must(t, err)
	w.is(t, "Deleting", "Unknown", "DeletingMachines", "shop-web-1")
	m.Finalizers = nil
	w.must(t, management.Client.Update(t.Context(), m))
	for range 3 {
		_, err := w.later(t, firstRetry)
		w.must(t, err)
	}
	if left := w.left(); !w.gone(t) || len(left) > 0 {
		t.Errorf("it is gone: %v, and leaves %v", w.gone(t), left)
	}
}
