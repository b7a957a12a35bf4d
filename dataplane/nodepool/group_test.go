package nodepool

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// cloudWorld is a world whose Infrastructure is a cloud.
type cloudWorld struct {
	*world
	sim     *openstacksim.Simulator
	project openstacksim.Project
}

func newCloudWorld(t testing.TB) *cloudWorld {
	t.Helper()
	c := &cloudWorld{}
	var err error
	if c.sim, err = openstacksim.Start(openstacksim.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.sim.Close)
	c.project = c.sim.AddProject("tenant")
	c.sim.SetUp()
	c.world = newWorldIn(t, c.sim.AuthURL(), openstacksim.Region)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.cluster.Namespace, Name: "mine"}}
	secret.Data = map[string][]byte{v1alpha1.CloudsKey: []byte(c.sim.CloudsYAML(c.project))}
	c.create(secret)
	c.network.Status.ProjectID = c.project.ID
	c.writeStatus(c.network)
	for i := range c.infra.Status.Images {
		c.infra.Status.Images[i].ID = c.sim.AddImage(c.infra.Status.Images[i].Release, nil)
	}
	c.writeStatus(c.infra)
	c.pool.Spec.AntiAffinity = v1alpha1.AntiAffinityHard
	return c
}

// service is a client of a project of the cloud.
func (c *cloudWorld) service(p openstacksim.Project, service string) *gophercloud.ServiceClient {
	c.Helper()
	credentials, err := openstack.ParseCloudsYAML([]byte(c.sim.CloudsYAML(p)), v1alpha1.CloudName)
	c.must(err)
	cl, err := (&openstack.Pool{}).Client(c.Context(), openstack.Cloud{AuthURL: c.sim.AuthURL(), Region: openstacksim.Region}, credentials)
	c.must(err)
	sc, err := cl.Service(c.Context(), service)
	c.must(err)
	return sc
}

// groups are those in the project, by name with their policy.
func (c *cloudWorld) groups() map[string]string {
	c.Helper()
	sc := c.service(c.project, openstack.Compute)
	pages, err := servergroups.List(sc, nil).AllPages(c.Context())
	c.must(err)
	all, err := servergroups.ExtractServerGroups(pages)
	c.must(err)
	found := map[string]string{}
	for _, g := range all {
		if found[g.Name] != "" {
			c.Errorf("there are two of %s", g.Name)
		}
		found[g.Name] = *g.Policy
	}
	return found
}

// The nodes of a pool are made in a server group of its own, which goes with it.
func TestServerGroup(t *testing.T) {
	for affinity, policy := range map[v1alpha1.AntiAffinity]string{"Hard": "anti-affinity", "Soft": "soft-anti-affinity"} {
		t.Run(string(affinity), func(t *testing.T) {
			c := newCloudWorld(t)
			c.pool.Spec.AntiAffinity = affinity
			c.active()
			name := fmt.Sprintf("marina-web-%s-%s", c.pool.UID, c.cluster.UID)
			if diff := cmp.Diff(map[string]string{name: policy}, c.groups()); diff != "" {
				t.Errorf("server groups (-want +got):\n%s", diff)
			}
			for _, m := range c.machines() {
				if id := m.Spec.Template.ServerGroupID; id == "" || id != c.pool.Status.ServerGroupID {
					t.Errorf("%s is in the server group %q, want %q", m.Name, id, c.pool.Status.ServerGroupID)
				}
			}
			c.sim.ResetCalls()
			c.mustPass()
			if n := c.sim.Count(front.Match{}); n > 0 {
				t.Errorf("%d requests of a pass that makes no node", n)
			}
			c.must(management.Client.Delete(t.Context(), c.pool))
			c.settle()
			if groups := c.groups(); !c.gone() || len(groups) > 0 {
				t.Errorf("left: %v", groups)
			}
		})
	}
}

// What the cloud has against it is said, and tried again.
func TestServerGroupRefused(t *testing.T) {
	c := newCloudWorld(t)
	c.sim.SetQuota(c.project.ID, "compute", "server_groups", 0)
	c.create(c.pool)
	result, err := c.pass()
	if err != nil || result.RequeueAfter != time.Minute {
		t.Errorf("%+v, %v; want another pass after a minute", result, err)
	}
	c.is(v1alpha1.PoolPending, "making the server group: compute: Quota exceeded, too many server groups. (HTTP 403)")
	c.has()
	c.sim.SetQuota(c.project.ID, "compute", "server_groups", 1)
	c.settle()
	c.is(v1alpha1.PoolActive, "3 of 3")

	outage := c.sim.Inject(front.Fault{Effect: front.Fail(500)})
	c.must(management.Client.Delete(t.Context(), c.pool))
	c.mustPass()
	c.vanish()
	if result, err := c.pass(); err != nil || result.RequeueAfter != 30*time.Second {
		t.Errorf("%+v, %v; want another pass after 30 s", result, err)
	}
	c.says("Deleting", "Unknown", "CloudUnreachable", "server group")
	outage.Remove()
	c.settle()
	if !c.gone() {
		t.Error("the pool is still there")
	}
}

// Whatever happens at any call of the cloud, there is one server group, and none after the
// deletion.
func TestServerGroupStopped(t *testing.T) {
	live := func(t *testing.T, prepare func(*cloudWorld)) int {
		c := newCloudWorld(t)
		c.sim.ResetCalls()
		prepare(c)
		c.create(c.pool)
		c.settle()
		c.settle()
		c.is(v1alpha1.PoolActive, "3 of 3")
		c.must(management.Client.Delete(t.Context(), c.pool))
		c.settle()
		calls := len(c.sim.Calls(front.Match{}))
		if groups := c.groups(); !c.gone() || len(groups) > 0 {
			t.Errorf("the pool is gone: %t; left: %v", c.gone(), groups)
		}
		return calls
	}
	calls := live(t, func(*cloudWorld) {})
	if calls < 6 {
		t.Fatalf("%d calls: the test looks at nothing", calls)
	}
	for n := range calls {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("call %d of %d, before it: %t", n, calls, before), func(t *testing.T) {
				t.Parallel()
				harmed := false
				cut := func(at bool) func(front.Call) front.Verdict {
					return func(c front.Call) front.Verdict {
						if c.N == n && at {
							harmed = true
							return front.Cut
						}
						return front.Proceed
					}
				}
				live(t, func(c *cloudWorld) {
					c.sim.BeforeCalls(cut(before))
					c.sim.AfterCalls(cut(!before))
				})
				if !harmed {
					t.Error("no harm was done")
				}
			})
		}
	}
}

func newProjects(w *world) *project.Opener {
	pool := &openstack.Pool{Timeout: 5 * time.Second, Wait: func(context.Context, time.Duration) error { return nil }}
	return &project.Opener{Client: w.reconciler.Client, Live: w.reconciler.Live, Pool: pool, Now: func() time.Time { return w.now }}
}
