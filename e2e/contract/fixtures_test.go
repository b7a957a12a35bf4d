package contract

import (
	"fmt"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/dataplane/openstack"
)

// small is the flavor of servers that are asked for in earnest.
var small = flavor{"contract-small", 1, 64, 1}

// lan makes a network with a subnet. Without DHCP there is no port in it but those that are
// asked for.
func (s *session) lan(name, cidr string) (network, subnet string) {
	s.Helper()
	network = s.do(openstack.Network, "POST /networks", object("network", "name", name)).id(name)
	subnet = s.do(openstack.Network, "POST /subnets", object("subnet", "network_id", network, "name", name, "cidr", cidr, "ip_version", 4, "enable_dhcp", false)).id(name + "'s subnet")
	return network, subnet
}

// unlan deletes networks with their subnets.
func (s *session) unlan(networks ...string) {
	s.Helper()
	for _, id := range networks {
		s.do(openstack.Network, "DELETE /networks/"+id, nil)
	}
}

// image makes an image of a few bytes, for computes that start nothing.
func (s *session) image(name string, pairs ...any) string {
	s.Helper()
	body := object("", append([]any{"name", name, "disk_format", "raw", "container_format", "bare", "img_hv_type", "fake"}, pairs...)...)[""]
	id := s.do(openstack.Image, "POST /images", body).id(name)
	s.do(openstack.Image, "PUT /images/"+id+"/file", []byte("nothing"))
	return id
}

// base is what servers need.
type base struct {
	*session
	flavor, bits, network, subnet string
}

func (s *session) base() *base {
	s.Helper()
	b := &base{session: s, flavor: s.call(s.cloud.addFlavor(s.T, small), "flavor"), bits: s.image("image")}
	b.network, b.subnet = s.lan("lan", "10.77.1.0/24")
	return b
}

func (b *base) remove() {
	b.Helper()
	b.unlan(b.network)
	b.do(openstack.Image, "DELETE /images/"+b.bits, nil)
}

// server is the body of a server as the dataplane asks for one, with changes.
func (b *base) server(name string, changes ...any) map[string]any {
	b.Helper()
	options := servers.CreateOpts{
		Name: name, FlavorRef: b.flavor, ImageRef: b.bits, ConfigDrive: ptr.To(true), UserData: []byte("#cloud-config\n"),
		Metadata: map[string]string{openstack.MetadataCluster: "one", openstack.MetadataMachine: name}, Networks: []servers.Network{{UUID: b.network}},
	}
	body, err := options.ToServerCreateMap()
	if err != nil {
		b.Fatal(err)
	}
	inner := body["server"].(map[string]any)
	for pair := range slices.Chunk(changes, 2) {
		if inner[pair[0].(string)] = pair[1]; pair[1] == nil {
			delete(inner, pair[0].(string))
		}
	}
	return body
}

// run makes a server and waits until it runs.
func (b *base) run(name string, changes ...any) string {
	b.Helper()
	id := b.do(openstack.Compute, "POST /servers", b.server(name, changes...)).id(name)
	b.until(openstack.Compute, "GET /servers/"+id, "server/status", "ACTIVE")
	return id
}

// end deletes servers and waits until they are gone.
func (b *base) end(ids ...string) {
	b.Helper()
	for _, id := range ids {
		b.do(openstack.Compute, "DELETE /servers/"+id, nil)
	}
	for _, id := range ids {
		b.until(openstack.Compute, "GET /servers/"+id, "server/status", gone)
	}
}

// nowhere is an id that nothing has.
const nowhere = "00000000-0000-4000-8000-000000000000"

func path(format string, args ...any) string { return fmt.Sprintf(format, args...) }
