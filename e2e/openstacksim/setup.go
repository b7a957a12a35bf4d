package openstacksim

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/neutron"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Project is a project with a user in it.
type Project struct{ ID, Name, UserID, UserName, Password string }

// AddProject adds a project and a user with roles in it: member if none is given.
func (s *Simulator) AddProject(name string, roles ...string) Project {
	if len(roles) == 0 {
		roles = []string{"member", "reader"}
	}
	p := Project{Name: name, UserName: userName(name), Password: "secret of " + name}
	s.state.Do(func() {
		p.ID, p.UserID = s.keystone.AddProject(name), s.keystone.AddUser(p.UserName, p.Password)
		s.keystone.Grant(p.UserID, p.ID, roles...)
		s.neutron.DefaultGroup(p.ID)
	})
	return p
}

func userName(project string) string { return project + "-user" }

// SetRoles gives the project's user other roles, which tokens have from then on.
func (s *Simulator) SetRoles(p Project, roles ...string) {
	s.state.Do(func() { s.keystone.Grant(p.UserID, p.ID, roles...) })
}

// SetPassword changes the password of the project's user and revokes its tokens.
func (s *Simulator) SetPassword(p Project, password string) {
	s.state.Do(func() { s.keystone.SetPassword(p.UserID, password) })
}

// Credential is an application credential.
type Credential struct{ ID, Name, Secret string }

// AddCredential adds an application credential of the project's user; the zero time is no
// end.
func (s *Simulator) AddCredential(p Project, name string, expires time.Time) Credential {
	c := Credential{Name: name}
	s.state.Do(func() {
		c.ID, c.Secret = s.keystone.AddCredential(p.UserID, p.ID, name, expires)
		s.state.IsSetUp(c.ID)
	})
	return c
}

// CloudsYAML is a clouds.yaml with one cloud, "openstack", for a project's user.
func (s *Simulator) CloudsYAML(p Project) string {
	return fmt.Sprintf("clouds:\n  openstack:\n    region_name: %s\n    auth:\n      auth_url: %s\n      username: %q\n      password: %q\n      project_id: %s\n      user_domain_name: Default\n",
		Region, s.AuthURL(), p.UserName, p.Password, p.ID)
}

// CredentialYAML is a clouds.yaml with one cloud, "openstack", for an application
// credential.
func (s *Simulator) CredentialYAML(c Credential) string {
	return fmt.Sprintf("clouds:\n  openstack:\n    region_name: %s\n    auth_type: v3applicationcredential\n    auth:\n      auth_url: %s\n      application_credential_id: %s\n      application_credential_secret: %s\n",
		Region, s.AuthURL(), c.ID, c.Secret)
}

// ExpireCredential ends an application credential now, with its tokens.
func (s *Simulator) ExpireCredential(id string) {
	s.state.Do(func() { s.keystone.ExpireCredential(id) })
}

// DeleteCredential deletes an application credential, with its tokens.
func (s *Simulator) DeleteCredential(id string) {
	s.state.Do(func() { s.keystone.DeleteCredential(id) })
}

// RevokeTokens revokes all tokens of a project, or of all if it is empty.
func (s *Simulator) RevokeTokens(project string) {
	s.state.Do(func() { s.keystone.RevokeTokens(project) })
}

// HideServices takes services out of the catalog, by their types, in place of those that
// it hid before; none shows all.
func (s *Simulator) HideServices(types ...string) {
	s.state.Do(func() { s.keystone.Hidden = types })
}

// AddFlavor adds a flavor that everybody may use and returns its id.
func (s *Simulator) AddFlavor(name string, vcpus, ramMiB, diskGiB int) string {
	return s.AddFlavorAs(nova.Flavor{Base: state.Base{Name: name}, VCPUs: vcpus, RAM: ramMiB, Disk: diskGiB})
}

// AddFlavorAs adds a flavor and returns its id.
func (s *Simulator) AddFlavorAs(f nova.Flavor) (id string) {
	s.state.Do(func() { id = s.nova.AddFlavor(f).ID })
	return id
}

// RemoveFlavor deletes a flavor.
func (s *Simulator) RemoveFlavor(id string) { s.state.Do(func() { s.nova.RemoveFlavor(id) }) }

// AddImage adds a public image that is ready and returns its id.
func (s *Simulator) AddImage(name string, properties map[string]string) string {
	return s.AddImageAs(glance.Image{Base: state.Base{Name: name}, Properties: properties})
}

// AddImageAs adds an image and returns its id.
func (s *Simulator) AddImageAs(i glance.Image) (id string) {
	s.state.Do(func() {
		id = s.glance.Add(i).ID
		s.state.IsSetUp(id)
	})
	return id
}

// RemoveImage deletes an image.
func (s *Simulator) RemoveImage(id string) { s.state.Do(func() { s.glance.Remove(id) }) }

// AddVolumeType adds a volume type and returns its id; the first is the default one.
func (s *Simulator) AddVolumeType(name string) (id string) {
	s.state.Do(func() { id = s.cinder.AddType(name) })
	return id
}

// AddExternalNetwork adds an external network with a subnet and returns its id.
func (s *Simulator) AddExternalNetwork(name, cidr string) string {
	network, _ := s.addNetwork("", name, cidr)
	return network
}

// AddNetwork adds a network with a subnet to a project and returns their ids.
func (s *Simulator) AddNetwork(project, name, cidr string) (network, subnet string) {
	return s.addNetwork(project, name, cidr)
}

func (s *Simulator) addNetwork(project, name, cidr string) (network, subnet string) {
	s.state.Do(func() {
		var n *neutron.Network
		var sub *neutron.Subnet
		n, sub = s.neutron.AddNetwork(project, name, project == "", netip.MustParsePrefix(cidr))
		network, subnet = n.ID, sub.ID
		s.state.IsSetUp(network)
		s.state.IsSetUp(subnet)
	})
	return network, subnet
}

// SetQuota sets a limit of a project in "compute", "network", "block-storage" or "load-balancer",
// under the name that the service has for it; -1 is no limit.
func (s *Simulator) SetQuota(project, service, resource string, limit int) {
	quotas, ok := map[string]*state.Quotas{"compute": s.nova.Quotas, "network": s.neutron.Quotas, "block-storage": s.cinder.Quotas, "load-balancer": s.octavia.Quotas}[service]
	if !ok || !quotas.Known(resource) {
		panic(fmt.Sprintf("there is no quota of %q in %q", resource, service))
	}
	s.state.Do(func() { quotas.Set(project, resource, limit) })
}

// FailBuilds makes builds of servers end in ERROR, until HealBuilds.
func (s *Simulator) FailBuilds(f nova.BuildFault) { s.state.Do(func() { s.nova.FailBuilds(f) }) }

// HealBuilds ends all faults of builds.
func (s *Simulator) HealBuilds() { s.state.Do(s.nova.HealBuilds) }

// SetHosts sets the availability zones, and how many hosts each has. With none they are there
// and not available.
func (s *Simulator) SetHosts(zones []string, hosts int) {
	s.state.Do(func() { s.nova.SetZones(zones, hosts) })
}

// BreakServer puts a server, by its id or name, into ERROR with a fault. It is false if
// there is no such server.
func (s *Simulator) BreakServer(idOrName, message string) (found bool) {
	s.state.Do(func() {
		var server *nova.Server
		if server, found = s.nova.Server(idOrName); found {
			s.nova.Break(server, message)
		}
	})
	return found
}

// RemoveServer deletes a server, by its id or name, behind its owner's back.
func (s *Simulator) RemoveServer(idOrName string) (found bool) {
	s.state.Do(func() {
		var server *nova.Server
		if server, found = s.nova.Server(idOrName); found {
			s.nova.Remove(server)
		}
	})
	return found
}

// FailBalancer puts a load balancer into ERROR.
func (s *Simulator) FailBalancer(id string) { s.state.Do(func() { s.octavia.Fail(id) }) }
