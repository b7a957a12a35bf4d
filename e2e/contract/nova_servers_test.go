package contract

import (
	"encoding/base64"
	"strings"

	"github.com/marina-dev/marina/dataplane/openstack"
)

const compute = openstack.Compute

// servers1 are the life of a server, and lists.
func servers1(s *session) {
	b := s.base()
	group := s.do(openstack.Network, "POST /security-groups", object("security_group", "name", "nodes")).id("group")
	a := s.ask("made", compute, "POST /servers", b.server("one", "security_groups", []any{map[string]any{"name": group}}), "server/@keys", "server/security_groups", "server/OS-DCF:diskConfig")
	id := a.id("one")
	one := "GET /servers/" + id
	s.ask("made: at once", compute, one, nil, "server/status", "server/OS-EXT-STS:vm_state", "server/metadata")
	s.ask("made: at once in a list", compute, "GET /servers/detail?limit=1000", nil, "servers/*/id", "servers/*/status", "servers/0/metadata", "@keys")
	s.settled("made: in the end", compute, one, "server/status", "server/@keys", "server/OS-EXT-STS:vm_state", "server/OS-EXT-STS:task_state", "server/OS-EXT-STS:power_state",
		"server/metadata", "server/config_drive", "server/tags", "server/flavor/@keys", "server/image/@keys", "server/image/id", "server/key_name", "server/OS-EXT-AZ:availability_zone",
		"server/addresses/@keys", "server/addresses/lan/0/@keys", "server/addresses/lan/0/OS-EXT-IPS:type", "server/os-extended-volumes:volumes_attached", "server/progress", "server/locked", "server/description", "server/fault")
	s.ask("its port", openstack.Network, path("GET /ports?device_id=%s&network_id=%s", id, b.network), nil, "ports/*/device_owner", "ports/0/security_groups", "ports/0/name", "ports/0/description")
	s.ask("without a group it has the default one", compute, "POST /servers", b.server("two"), "server/security_groups")
	two := s.call(s.all(compute, "GET /servers?name=two", "servers/*/id")[0], "two")
	b.until(compute, "GET /servers/"+two, "server/status", "ACTIVE")
	b.lists(id, two)
	b.metadata(id)
	s.ask("deleted", compute, "DELETE /servers/"+two, nil)
	s.until(compute, "GET /servers/"+two, "server/status", gone)
	s.ask("deleted: shown", compute, "GET /servers/"+two, nil)
	s.ask("deleted twice", compute, "DELETE /servers/"+two, nil)
	s.ask("deleted: its port", openstack.Network, "GET /ports?device_id="+two, nil, "ports")
	s.ask("one that is not there", compute, "GET /servers/"+nowhere, nil)
	s.ask("one with an id that is none", compute, "GET /servers/nothing", nil)
	early := s.do(compute, "POST /servers", b.server("early")).id("early")
	s.ask("deleted while it is built", compute, "DELETE /servers/"+early, nil)
	s.until(compute, "GET /servers/"+early, "server/status", gone)
	s.record("deleted while it is built: ports are left", s.do(openstack.Network, "GET /ports?device_id="+early, nil).text("ports"))
	s.ask("security group of a server deleted", openstack.Network, "DELETE /security-groups/"+group, nil)
	s.ask("network of a server deleted", openstack.Network, "DELETE /networks/"+b.network, nil)
	b.end(id)
	s.do(openstack.Network, "DELETE /security-groups/"+group, nil)
	b.remove()
}

// lists of two servers, "one" and "two".
func (b *base) lists(one, two string) {
	for _, query := range []string{
		"name=one", "name=%5Eone%24", "name=n", "name=ONE", "status=ACTIVE", "status=active", "status=BUILD", "status=NONSENSE", "metadata=%7B%22marina.dev%3Amachine-uid%22%3A%22one%22%7D",
		"colour=blue", "limit=0", "limit=-1", "limit=x", "sort_key=display_name&sort_dir=asc", "sort_key=nothing", "marker=" + nowhere, "all_tenants=1", "deleted=true", "changes-since=2001-01-01T00:00:00Z",
		"changes-since=then", "ip=10.77.1", "ip=10.78", "tags=x", "availability_zone=nowhere", "host=nowhere", "project_id=" + nowhere,
		"image=" + b.bits + "&name=one", "flavor=" + b.flavor + "&name=one", "flavor=" + nowhere, "uuid=" + one, "config_drive=true&name=one",
	} {
		a := b.send(b.client, compute, "GET /servers/detail?"+query, nil)
		names, _ := at(a.json, "servers/*/name")
		b.record("list by "+normal(query, b.names), a.fact(compute, nil)+"\n"+strings.Join(append(only(names, "one", "two"), "end"), " "))
	}
	a := b.ask("a page", compute, "GET /servers/detail?limit=1&sort_key=display_name&sort_dir=asc", nil, "servers/*/name", "@keys", "servers_links/*/rel")
	a.link("a page: the next one", "servers_links/0/href")
	b.ask("a page after a marker", compute, "GET /servers/detail?limit=1&sort_key=display_name&sort_dir=asc&marker="+one, nil, "servers/*/name", "servers_links/*/rel")
	b.ask("a page after the last", compute, "GET /servers/detail?limit=1&sort_key=display_name&sort_dir=asc&marker="+two, nil, "servers", "@keys")
	b.ask("brief", compute, "GET /servers?name=one", nil, "servers/0/@keys")
}

func (b *base) metadata(id string) {
	all := "/servers/" + id + "/metadata"
	b.ask("metadata: added", compute, "POST "+all, map[string]any{"metadata": map[string]string{"a": "b"}}, "@keys", "metadata/@keys")
	b.ask("metadata: one", compute, "GET "+all+"/a", nil, "meta")
	b.ask("metadata: one set", compute, "PUT "+all+"/a", map[string]any{"meta": map[string]string{"a": "c"}}, "meta")
	b.ask("metadata: one that is not there", compute, "GET "+all+"/z", nil)
	b.ask("metadata: one deleted", compute, "DELETE "+all+"/a", nil)
	b.ask("metadata: one deleted twice", compute, "DELETE "+all+"/a", nil)
	b.ask("metadata: replaced", compute, "PUT "+all, map[string]any{"metadata": map[string]string{"c": "d"}}, "metadata")
	b.ask("metadata: too long", compute, "POST "+all, map[string]any{"metadata": map[string]string{"a": long(256)}})
	b.ask("metadata: of a key with a slash", compute, "POST "+all, map[string]any{"metadata": map[string]string{"a/b": "c"}})
	b.ask("metadata: of a server that is not there", compute, "POST /servers/"+nowhere+"/metadata", map[string]any{"metadata": map[string]string{"a": "b"}})
	b.ask("renamed", compute, "PUT /servers/"+id, object("server", "name", "renamed"), "server/name", "server/@keys")
	b.ask("renamed back", compute, "PUT /servers/"+id, object("server", "name", "one"), "server/name")
	b.ask("tags: set", compute, "PUT /servers/"+id+"/tags", map[string]any{"tags": []string{"x", "y"}}, "tags")
	b.ask("tags: one added", compute, "PUT /servers/"+id+"/tags/z", nil)
	b.ask("tags: one added twice", compute, "PUT /servers/"+id+"/tags/z", nil)
	b.ask("tags: one that is not there", compute, "DELETE /servers/"+id+"/tags/w", nil)
	b.ask("tags: one that is none", compute, "PUT /servers/"+id+"/tags", map[string]any{"tags": []string{"a/b"}})
	b.ask("tags: list by all", compute, "GET /servers?tags=x,y", nil, "servers/*/name")
	b.ask("tags: all deleted", compute, "DELETE /servers/"+id+"/tags", nil)
}

// refused are servers that are not made, or not built.
func refused(s *session) {
	b := s.base()
	post := "POST /servers"
	server := b.server
	s.ask("with user data that is too long", compute, post, server("x", "user_data", base64.StdEncoding.EncodeToString(make([]byte, 49153))))
	s.ask("with user data that is no base64", compute, post, server("x", "user_data", "A"))
	s.ask("of an image that is not there", compute, post, server("x", "imageRef", nowhere))
	s.ask("of an image whose id is none", compute, post, server("x", "imageRef", "ubuntu"))
	s.ask("of a flavor that is not there", compute, post, server("x", "flavorRef", nowhere))
	s.ask("in a network that is not there", compute, post, server("x", "networks", []any{map[string]any{"uuid": nowhere}}))
	s.ask("in a network whose id is none", compute, post, server("x", "networks", []any{map[string]any{"uuid": "lan"}}))
	bare := s.do(openstack.Network, "POST /networks", object("network", "name", "bare")).id("bare")
	s.ask("in a network without a subnet", compute, post, server("x", "networks", []any{map[string]any{"uuid": bare}}))
	b.failed("in the external network", server("x", "networks", []any{map[string]any{"uuid": s.meant("external network")}}))
	b.failed("with an address that is outside", server("x", "networks", []any{map[string]any{"uuid": b.network, "fixed_ip": "10.88.1.1"}}))
	s.asAdmin(compute, "PUT /os-quota-sets/"+s.project, object("quota_set", "ram", -1))
	b.failed("with a flavor that fits nowhere", server("x", "flavorRef", s.call(s.cloud.addFlavor(s.T, flavor{"contract-huge", 1, 1 << 30, 1}), "huge")))
	s.asAdmin(compute, "PUT /os-quota-sets/"+s.project, object("quota_set", "ram", 51200))
	s.ask("without networks", compute, post, server("x", "networks", nil))
	s.ask("with a port that is not there", compute, post, server("x", "networks", []any{map[string]any{"port": nowhere}}))
	s.ask("with a security group that is not there", compute, post, server("x", "security_groups", []any{map[string]any{"name": nowhere}}))
	for range 2 {
		s.do(openstack.Network, "POST /security-groups", object("security_group", "name", "twice"))
	}
	s.ask("with a security group of which there are two", compute, post, server("x", "security_groups", []any{map[string]any{"name": "twice"}}))
	for _, id := range s.all(openstack.Network, "GET /security-groups?name=twice", "security_groups/*/id") {
		s.do(openstack.Network, "DELETE /security-groups/"+id, nil)
	}
	s.ask("in a zone that is not there", compute, post, server("x", "availability_zone", "nowhere"))
	s.ask("with a key pair that is not there", compute, post, server("x", "key_name", "none"))
	s.ask("without a name", compute, post, server("x", "name", nil))
	s.ask("with an empty name", compute, post, server("x", "name", ""))
	s.ask("with a name that is too long", compute, post, server("x", "name", long(256)))
	s.ask("without a flavor", compute, post, server("x", "flavorRef", nil))
	s.ask("without an image", compute, post, server("x", "imageRef", ""))
	s.ask("with a key that is not known", compute, post, server("x", "colour", "blue"))
	s.ask("with a body that is none", compute, post, "x")
	s.ask("with metadata that are too long", compute, post, server("x", "metadata", map[string]string{"a": long(256)}))
	s.ask("with metadata that are no texts", compute, post, server("x", "metadata", map[string]any{"a": 1}))
	s.ask("with metadata of a key with a slash", compute, post, server("x", "metadata", map[string]string{"marina.dev/cluster-uid": "one"}))
	s.ask("with a tag that is too long", compute, post, server("x", "tags", []string{long(61)}))
	hint := server("x")
	hint["os:scheduler_hints"] = map[string]any{"group": nowhere}
	s.ask("in a server group that is not there", compute, post, hint)
	hint["os:scheduler_hints"] = map[string]any{"group": "nothing"}
	s.ask("in a server group whose id is none", compute, post, hint)
	b.images()
	s.do(openstack.Network, "DELETE /networks/"+bare, nil)
	b.remove()
}

// failed is a server that is taken and cannot be built.
func (b *base) failed(name string, body map[string]any) {
	b.Helper()
	a := b.ask(name, compute, "POST /servers", body)
	if a.status >= 400 {
		return
	}
	id := a.text("server/id")
	b.settled(name+": in the end", compute, "GET /servers/"+b.call(id, "failed"), "server/status", "server/fault/code", "server/fault/message", "server/OS-EXT-STS:vm_state")
	b.ask(name+": its ports", openstack.Network, "GET /ports?device_id="+id, nil, "ports/*/device_owner")
	b.end(id)
	delete(b.names, id)
}

// images that a server cannot be made of.
func (b *base) images() {
	post := "POST /servers"
	queued := b.do(openstack.Image, "POST /images", object("", "name", "queued", "disk_format", "raw", "container_format", "bare")[""]).id("queued")
	b.ask("of an image that is queued", compute, post, b.server("x", "imageRef", queued))
	wide := b.image("wide", "min_disk", 50)
	b.ask("of an image whose disk is too large", compute, post, b.server("x", "imageRef", wide))
	heavy := b.image("heavy", "min_ram", 4096)
	b.ask("of an image that needs more memory", compute, post, b.server("x", "imageRef", heavy))
	volume := func(pairs ...any) []any { return []any{object("", pairs...)[""]} }
	root := []any{"boot_index", 0, "source_type", "image", "destination_type", "volume", "delete_on_termination", true}
	b.ask("of a volume that is too small for the image", compute, post, b.server("x", "imageRef", nil, "block_device_mapping_v2", volume(append(root, "uuid", wide, "volume_size", 1)...)))
	b.ask("of a volume without a size", compute, post, b.server("x", "imageRef", nil, "block_device_mapping_v2", volume(append(root, "uuid", b.bits)...)))
	b.ask("of a volume type that is not there", compute, post, b.server("x", "imageRef", nil, "block_device_mapping_v2", volume(append(root, "uuid", b.bits, "volume_size", 1, "volume_type", "magic")...)))
	b.ask("of a volume that is not there", compute, post, b.server("x", "imageRef", nil, "block_device_mapping_v2", volume("boot_index", 0, "source_type", "volume", "destination_type", "volume", "uuid", nowhere)))
	for _, id := range []string{queued, wide, heavy} {
		b.do(openstack.Image, "DELETE /images/"+id, nil)
	}
	b.ask("of an image that was deleted", compute, post, b.server("x", "imageRef", wide))
}
