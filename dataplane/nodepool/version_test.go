package nodepool

import (
	"testing"

	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	patched  = "1.37.2-1"
	earlier  = "1.34.9-1"
	tooEarly = "1.33.9-1"
)

// newVersionWorld is a world of a control plane of 1.37.2, where older versions are offered too.
func newVersionWorld(t testing.TB) *world {
	w := newWorld(t)
	for _, v := range []string{patched, earlier, tooEarly} {
		w.infra.Spec.Releases = append(w.infra.Spec.Releases, v1alpha1.InfrastructureRelease{Release: v, Image: v})
	}
	status := w.infra.Status
	w.must(management.Client.Update(t.Context(), w.infra))
	w.infra.Status = status
	w.infra.Status.ObservedGeneration = w.infra.Generation
	for _, v := range []string{patched, earlier, tooEarly} {
		w.infra.Status.Images = append(w.infra.Status.Images, v1alpha1.InfrastructureImage{Release: v, ID: v})
	}
	w.writeStatus(w.infra)
	w.runs(patched)
	return w
}

// runs has the control plane run a version.
func (w *world) runs(version string) {
	w.Helper()
	w.cluster.Status.Version = version
	w.writeStatus(w.cluster)
}

// releases checks that all nodes are of a version, and that the status says so.
func (w *world) releases(version string) {
	w.Helper()
	for _, m := range w.machines() {
		if r := m.Spec.Template.Release; r != version {
			w.Errorf("%s has %s, want %s", m.Name, r, version)
		}
	}
	if v := w.pool.Status.Version; v != version {
		w.Errorf("new nodes get %s, want %s", v, version)
	}
}

// A version that the policy of Kubernetes forbids, or that is not offered, is refused before
// anything is made, and others are not.
func TestVersions(t *testing.T) {
	for name, tc := range map[string]struct{ version, reason, words string }{
		"OfTheControlPlane": {version: patched},
		"ThreeMinorsOlder":  {version: earlier},
		"FourMinorsOlder":   {tooEarly, "VersionSkew", "version: kubelet 1.33.9-1 is more than 3 minor versions older than the control plane 1.37.2-1"},
		"Newer":             {next, "VersionSkew", "version: kubelet 1.38.0-1 is newer than the control plane 1.37.2-1: upgrade the control plane first"},
		"NotOffered":        {"1.36.1-1", "ReleaseNotOffered", "does not offer 1.36.1-1: choose one of its spec.releases"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVersionWorld(t)
			w.pool.Spec.Version = tc.version
			if tc.reason == "" {
				w.active()
				w.releases(tc.version)
				return
			}
			w.create(w.pool)
			w.mustPass()
			w.is(v1alpha1.PoolError, tc.words)
			w.says("SpecAccepted", "False", tc.reason, tc.words)
			w.has()
		})
	}
}

// A pool with a version of its own stays with it, follows the control plane when it has none any
// more, and goes back only while a node is left to go back to.
func TestVersionChanges(t *testing.T) {
	w := newVersionWorld(t)
	w.pool.Spec.Version = version
	w.active()
	w.releases(version)
	w.runs(next)
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.has("00001", "00002", "00003")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
	w.mustPass()
	w.is(v1alpha1.PoolUpgrading, "3 of 3 nodes are ready")
	w.has("00001", "00002", "00003", "00004")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = version })
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.has("00001", "00002", "00003")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = "" })
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.releases(next)
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "all nodes of the pool run 1.38.0-1 or newer, and nodes do not go back")
	w.says("SpecAccepted", "False", "VersionOlder", "")
	if n := len(w.names()); n != 3 {
		t.Errorf("%d nodes are left, want 3", n)
	}
}

// An image of the pool's own takes the place of the Infrastructure's, whether that has one or
// not, and another one replaces the nodes.
func TestOwnImage(t *testing.T) {
	c := plainCloudWorld(t)
	image, other := c.sim.AddImage("mine", nil), c.sim.AddImage("other", nil)
	c.infra.Status.Images = nil
	c.writeStatus(c.infra)
	c.pool.Spec.Image = image
	c.active()
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Image = other })
	c.mustPass()
	c.is(v1alpha1.PoolUpdating, "3 of 3 nodes are ready")
	c.has("00001", "00002", "00003", "00004")
	c.settle()
	c.is(v1alpha1.PoolActive, "3 of 3")
	for _, m := range c.machines() {
		if got := m.Spec.Template; got.Image != other || got.Release != version {
			t.Errorf("%s boots %s as %s, want %s as %s", m.Name, got.Image, got.Release, other, version)
		}
	}
	c.releases(version)
}

// An image that the project does not see, or that cannot be booted, is refused.
func TestOwnImageRefused(t *testing.T) {
	c := plainCloudWorld(t)
	private := glance.Image{Base: state.Base{Name: "theirs", Project: c.sim.AddProject("other").ID}, Visibility: "private"}
	c.pool.Spec.Image = c.sim.AddImageAs(private)
	c.create(c.pool)
	c.mustPass()
	c.is(v1alpha1.PoolError, "sees no image "+c.pool.Spec.Image+" in the region RegionOne: correct the id, or have the image shared with the project")
	c.says("SpecAccepted", "False", "ImageNotFound", "'openstack image list' shows")
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Image = c.sim.AddImageAs(glance.Image{Status: "queued"}) })
	c.mustPass()
	c.says("SpecAccepted", "False", "ImageNotActive", "is queued and not active: wait until it is uploaded")
	c.has()
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Image = c.sim.AddImage("mine", nil) })
	c.settle()
	c.is(v1alpha1.PoolActive, "3 of 3")
}
