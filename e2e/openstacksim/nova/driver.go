package nova

import (
	"context"
	"maps"

	"github.com/marina-dev/marina/e2e/openstacksim/cinder"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
)

// Driver boots what servers stand for: nothing, a hollow kubelet, a container. Calls for
// one server come one after the other, for different servers at once; none holds up the
// cloud. A server is BUILD until Boot returns. The context ends with the simulator.
type Driver interface {
	// Boot starts a server that is new, that was stopped and keeps its disk, or that was
	// destroyed for a rebuild. An error becomes the fault of a server in ERROR.
	Boot(ctx context.Context, server Instance) error
	// Stop shuts a server down and keeps its disk.
	Stop(ctx context.Context, id string) error
	// Reboot restarts a server.
	Reboot(ctx context.Context, id string, hard bool) error
	// Destroy removes a server and its disk; it may never have been booted.
	Destroy(ctx context.Context, id string) error
}

// Consoler is a Driver whose servers have a console.
type Consoler interface {
	// Console is what a server has written on its console. It is called under the lock of
	// the cloud, and does not wait.
	Console(id string) string
}

// Instance is a server as a driver sees it.
type Instance struct {
	ID, Name, Project string
	// UserData is as the user gave it, base64 decoded; it may be compressed.
	UserData  []byte
	Metadata  map[string]string
	Addresses []Address
	// ImageID is empty if the server boots from a volume; Image holds the properties of the
	// image, also of that which the volume was made of.
	ImageID string
	Image   map[string]string
	VCPUs   int
	RAMMiB  int
	DiskGiB int
	Zone    string
	Host    string
}

// Address is one of a server's addresses.
type Address struct {
	Network string
	IP      string
	MAC     string
	// Floating addresses lead to the server from outside.
	Floating bool
}

// drive has the driver do something for a server, after what it does for it already, and
// then goes on under the lock. Without a driver it goes on at once.
func (n *Nova) drive(s *Server, do func(ctx context.Context) error, then func(error)) {
	if n.driver == nil {
		then(nil)
		return
	}
	if n.ctx.Err() != nil {
		return // closed
	}
	before, done := s.job, make(chan struct{})
	s.job = done
	n.jobs.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		err := do(n.ctx)
		if n.ctx.Err() != nil {
			return // it was cut short, and nobody knows how far it came: see Resume
		}
		n.state.Do(func() { then(err) })
	})
}

// instance is what a driver is told of a server.
func (n *Nova) instance(s *Server) Instance {
	i := Instance{
		ID: s.ID, Name: s.Name, Project: s.Project, UserData: s.userData, Metadata: maps.Clone(s.Metadata), Addresses: n.addresses(s), ImageID: s.ImageID,
		VCPUs: s.flavor.VCPUs, RAMMiB: s.flavor.RAM, DiskGiB: s.flavor.Disk, Zone: s.Zone, Host: s.Host, Image: map[string]string{},
	}
	if v, ok := n.rootVolume(s); ok {
		i.DiskGiB = v.Size
	}
	if image := n.rootImage(s); image != nil {
		maps.Copy(i.Image, image.Properties)
		i.Image["name"] = image.Name
	}
	return i
}

// rootVolume is the volume that a server boots from, if it does.
func (n *Nova) rootVolume(s *Server) (*cinder.Volume, bool) {
	for _, a := range s.volumes {
		if v, ok := n.cinder.Find(a.volume, s.Project); ok && a.root {
			return v, true
		}
	}
	return nil, false
}

// rootImage is the image that a server was made of, if there is one.
func (n *Nova) rootImage(s *Server) *glance.Image {
	if v, ok := n.rootVolume(s); ok {
		return v.Image
	}
	return s.image
}

// addresses are those of a server's ports.
func (n *Nova) addresses(s *Server) []Address {
	var all []Address
	for _, p := range n.neutron.PortsOf(s.ID) {
		network := n.neutron.NetworkName(p.NetworkID)
		for _, ip := range p.FixedIPs {
			all = append(all, Address{Network: network, IP: ip.IPAddress, MAC: p.MAC})
		}
		for _, ip := range n.neutron.FloatingTo(p.ID) {
			all = append(all, Address{Network: network, IP: ip, MAC: p.MAC, Floating: true})
		}
	}
	return all
}
