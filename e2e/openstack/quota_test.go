package openstack

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// What the quota has no room for waits, says why in numbers, and goes on when it is raised.
func TestQuota(t *testing.T) {
	for name, q := range map[string]struct {
		service, resource string
		// few is what one node finds room in and two do not, and enough what two do.
		few, enough int
		// words are what is said of it.
		words string
		spec  func(*v1alpha1.NodePoolSpec)
	}{
		"instances":    {openstack.Compute, "instances", 1, 2, "instances: 1 of 1 used, this node takes 1", func(*v1alpha1.NodePoolSpec) {}},
		"cores":        {openstack.Compute, "cores", 1, 2, "cores: 1 of 1 used, this node takes 1", func(*v1alpha1.NodePoolSpec) {}},
		"floating IPs": {openstack.Network, "floatingip", 1, 2, "floatingip", func(s *v1alpha1.NodePoolSpec) { s.FloatingIPs = true }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t).stepped()
			s.setQuota(t, q.service, q.resource, q.few)
			p := s.pool("web", 2, q.spec)
			s.until("one finds no room", func() error {
				s.read(p)
				if p.Status.ReadyReplicas != 1 {
					return fmt.Errorf("%d nodes are Ready", p.Status.ReadyReplicas)
				}
				for _, m := range s.machines() {
					c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionServerReady)
					if c == nil || c.Reason != string(openstack.Quota) {
						continue
					}
					// Nova may find out only when it has the server; then its own words come
					// first, and the numbers with the next attempt.
					if !strings.Contains(c.Message, q.words) {
						return fmt.Errorf("it says %s, want: ...%s...", c.Message, q.words)
					}
					if !strings.Contains(p.Status.Message, c.Message) {
						return fmt.Errorf("the pool says %s", p.Status.Message)
					}
					t.Log(p.Status.Message)
					return nil
				}
				return fmt.Errorf("no machine has the reason %s", openstack.Quota)
			})
			s.setQuota(t, q.service, q.resource, q.enough)
			s.until("there is room for two", s.settled(p, 2))
		})
	}
}

// What the cloud does not have is refused before anything is made for it.
func TestRefused(t *testing.T) {
	const nowhere = "00000000-7a52-4d9b-9f0c-3b8f2f9a0001"
	w := newWorld(t, func(i *v1alpha1.Infrastructure) { i.Spec.Flavors = append(i.Spec.Flavors, "imagined") })
	s := w.stepped()
	apitest.WantCondition(t, s.infra.Status.Conditions, v1alpha1.ConditionReady, "False", "FlavorNotFound", "imagined")
	s.until("the network", s.says(v1alpha1.ConditionReady, "AsExpected"))
	s.wire.reset()
	for name, refused := range map[string]struct {
		spec   func(*v1alpha1.NodePoolSpec)
		reason string
	}{
		"flavor":  {func(s *v1alpha1.NodePoolSpec) { s.Flavor = "imagined" }, "FlavorNotFound"},
		"image":   {func(s *v1alpha1.NodePoolSpec) { s.Image = nowhere }, "ImageNotFound"},
		"zone":    {func(s *v1alpha1.NodePoolSpec) { s.AvailabilityZone = "atlantis" }, "ZoneNotFound"},
		"network": {func(s *v1alpha1.NodePoolSpec) { s.Networks = []string{nowhere} }, "NetworkNotFound"},
		"group":   {func(s *v1alpha1.NodePoolSpec) { s.SecurityGroups = []string{nowhere} }, "SecurityGroupNotFound"},
	} {
		p := s.pool(name, 1, refused.spec, func(s *v1alpha1.NodePoolSpec) { s.AntiAffinity = v1alpha1.AntiAffinityHard })
		s.until(name+" is refused", func() error {
			s.read(p)
			c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionSpecAccepted)
			if c == nil || c.Status != "False" || c.Reason != refused.reason {
				return fmt.Errorf("it is %+v, want %s", c, refused.reason)
			}
			return nil
		})
	}
	s.until("nothing comes of it later", rounds(5))
	if made := s.wire.changes(); len(made) > 0 {
		t.Errorf("something was asked for: %v", made)
	}
	if m := s.machines(); len(m) > 0 {
		t.Errorf("%d Machines were made", len(m))
	}
}
