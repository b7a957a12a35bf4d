package openstacksim

// FindProject finds a project that AddProject has added, perhaps to an earlier cloud in the
// same file.
func (s *Simulator) FindProject(name string) (p Project, found bool) {
	p = Project{Name: name, UserName: userName(name)}
	s.state.Look(func() { p.ID, p.UserID, p.Password, found = s.keystone.Account(p.Name, p.UserName) })
	return p, found
}

// HasFlavor reports whether there is a flavor of a name.
func (s *Simulator) HasFlavor(name string) (has bool) {
	s.state.Look(func() { has = s.nova.HasFlavor(name) })
	return has
}

// HasImage reports whether there is an image of a name.
func (s *Simulator) HasImage(name string) (has bool) {
	s.state.Look(func() { has = s.glance.HasImage(name) })
	return has
}

// HasNetwork reports whether there is a network of a name.
func (s *Simulator) HasNetwork(name string) (has bool) {
	s.state.Look(func() { has = s.neutron.HasNetwork(name) })
	return has
}

// Servers are the ids of all servers.
func (s *Simulator) Servers() (ids []string) {
	s.state.Look(func() { ids = s.nova.IDs() })
	return ids
}
