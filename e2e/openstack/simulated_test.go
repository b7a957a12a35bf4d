package openstack

import (
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

// simulatedCloud is a cloud of the test's own, of three hosts.
func simulatedCloud(t testing.TB) *cloud {
	t.Helper()
	s, err := openstacksim.Start(openstacksim.Options{Hosts: 3})
	check(t, err)
	t.Cleanup(s.Close)
	project := s.AddProject("tenant")
	s.AddFlavor("node", vcpus, memoryMiB, diskGiB)
	s.AddExternalNetwork("public", "203.0.113.0/24")
	s.AddVolumeType("ssd")
	c := &cloud{
		authURL: s.AuthURL(), region: openstacksim.Region, projectID: project.ID, external: "public", flavor: "node", image: "node",
		member: account{project.UserName, project.Password},
		pace:   time.Millisecond, step: time.Minute, limit: 2 * time.Minute,
	}
	c.setQuota = func(_ testing.TB, service, resource string, limit int) {
		s.SetQuota(project.ID, service, resource, limit)
	}
	c.reader = func(t testing.TB) account {
		// Each project has one user: it is another one for a while.
		s.SetRoles(project, "reader")
		t.Cleanup(func() { s.SetRoles(project, "member", "reader") })
		return c.member
	}
	return c
}
