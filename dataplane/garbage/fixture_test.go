package garbage

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// management is the API server of all tests.
var management *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &management, nil, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

// world is a cloud with a project, in which there are Clusters of this Marina.
type world struct {
	*openstacksim.Simulator
	testing.TB
	clock      *testclock.FakeClock
	project    openstacksim.Project
	external   string
	flavor     string
	image      string
	nodes      string
	infra      *v1alpha1.Infrastructure
	networks   []*v1alpha1.ClusterNetwork
	reconciler *Reconciler
	// cached and live are what the controller reads from.
	cached, live client.Client
}

var worlds atomic.Int64

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, clock: testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	var err error
	w.Simulator, err = openstacksim.Start(openstacksim.Options{Clock: w.clock})
	w.must(err)
	t.Cleanup(w.Close)
	w.project = w.AddProject("tenant")
	w.external = w.AddExternalNetwork("public", "203.0.113.0/24")
	w.flavor, w.image = w.AddFlavor("b3-8", 4, 8192, 50), w.AddImage("node", nil)
	w.nodes, _ = w.AddNetwork(w.project.ID, "nodes", "10.250.0.0/22")
	for _, resource := range []string{"cores", "ram", "instances"} {
		w.SetQuota(w.project.ID, "compute", resource, -1)
	}
	name := fmt.Sprintf("w%d", worlds.Add(1))
	w.infra = &v1alpha1.Infrastructure{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.InfrastructureSpec{
			AuthURL: w.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: name},
			ExternalNetwork: "public", Flavors: []string{"b3-8"}, Releases: []v1alpha1.InfrastructureRelease{{Release: "1.37.1-1", Image: "node"}},
		},
	}
	w.create(w.infra)
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "mine"}, Data: map[string][]byte{v1alpha1.CloudsKey: []byte(w.CloudsYAML(w.project))},
	})
	w.cluster("mine")
	w.SetUp()
	w.ResetCalls()
	w.cached, w.live = management.Client, management.Client
	w.restart()
	return w
}

// cluster makes a Cluster's network in the project, with the credentials in a Secret.
func (w *world) cluster(secret string) *v1alpha1.ClusterNetwork {
	w.Helper()
	number := len(w.networks)
	namespace := fmt.Sprintf("marina-%s-%d", w.infra.Name, number)
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	n := &v1alpha1.ClusterNetwork{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.NameClusterNetwork},
		Spec: v1alpha1.ClusterNetworkSpec{
			ClusterRef:        v1alpha1.ClusterReference{Namespace: w.infra.Name, Name: fmt.Sprintf("shop-%d", number), UID: types.UID(fmt.Sprintf("0000000%d-7a52-4d9b-9f0c-3b8f2f9a0001", number))},
			InfrastructureRef: v1alpha1.LocalReference{Name: w.infra.Name}, CredentialsRef: v1alpha1.LocalReference{Name: secret}, NodeCIDR: "10.250.0.0/22",
		},
	}
	w.create(n)
	n.Status.ProjectID = w.project.ID
	w.must(management.Client.Status().Update(w.Context(), n))
	w.networks = append(w.networks, n)
	return n
}

// restart starts a controller that knows nothing of an earlier one.
func (w *world) restart() {
	pool := &openstack.Pool{Timeout: 5 * time.Second, Now: w.clock.Now, Wait: func(context.Context, time.Duration) error { return nil }}
	projects := &project.Opener{Client: management.Client, Live: management.Client, Pool: pool, Now: w.clock.Now}
	w.reconciler = &Reconciler{Client: w.cached, Live: w.live, Projects: projects, Now: w.clock.Now}
}

// after is a pass over each network when a time has gone by.
func (w *world) after(d time.Duration) {
	w.Helper()
	w.clock.Step(d)
	for _, n := range w.networks {
		result, err := w.reconciler.Reconcile(w.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(n)})
		w.must(err)
		if result.RequeueAfter > 15*time.Minute {
			w.Errorf("it is looked again after %s", result.RequeueAfter)
		}
	}
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

// service is a service of the cloud as somebody in the project uses it.
func (w *world) service(name string) *gophercloud.ServiceClient {
	w.Helper()
	credentials, err := openstack.ParseCloudsYAML([]byte(w.CloudsYAML(w.project)), v1alpha1.CloudName)
	w.must(err)
	c, err := (&openstack.Pool{}).Client(w.Context(), openstack.Cloud{AuthURL: w.AuthURL(), Region: openstacksim.Region}, credentials)
	w.must(err)
	sc, err := c.Service(w.Context(), name)
	w.must(err)
	return sc
}

// server makes a server with metadata, group one of a name, and address one with a description.
func (w *world) server(metadata map[string]string, group string) string {
	w.Helper()
	var hints servers.SchedulerHintOptsBuilder
	if group != "" {
		hints = servers.SchedulerHintOpts{Group: group}
	}
	made, err := servers.Create(w.Context(), w.service(openstack.Compute), servers.CreateOpts{
		Name: "a", ImageRef: w.image, FlavorRef: w.flavor, Networks: []servers.Network{{UUID: w.nodes}}, Metadata: metadata, ConfigDrive: ptr.To(false),
	}, hints).Extract()
	w.must(err)
	return made.ID
}

func (w *world) group(name string) string {
	w.Helper()
	made, err := servergroups.Create(w.Context(), w.service(openstack.Compute), servergroups.CreateOpts{Name: name, Policy: "anti-affinity"}).Extract()
	w.must(err)
	return made.ID
}

func (w *world) address(description string) string {
	w.Helper()
	made, err := floatingips.Create(w.Context(), w.service(openstack.Network), floatingips.CreateOpts{Description: description, FloatingNetworkID: w.external}).Extract()
	w.must(err)
	return made.ID
}

// left is how many there are of each kind.
func (w *world) left() map[string]int {
	kinds := map[string]int{}
	for _, l := range w.Leaks(w.project.ID) {
		if l.Kind != "port" {
			kinds[l.Kind]++
		}
	}
	return kinds
}
