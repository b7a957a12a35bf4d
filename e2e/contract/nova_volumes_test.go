package contract

import "github.com/marina-dev/marina/dataplane/openstack"

const vol = openstack.Volume

// serverVolumes are volumes of servers.
func serverVolumes(s *session) {
	b := s.base()
	id := b.run("one")
	volume := s.do(vol, "POST /volumes", object("volume", "size", 1, "name", "data")).id("volume")
	one := "GET /volumes/" + volume
	s.until(vol, one, "volume/status", "available")
	all := path("/servers/%s/os-volume_attachments", id)
	of := func(volume string) map[string]any { return object("volumeAttachment", "volumeId", volume) }
	s.ask("attached", compute, "POST "+all, of(volume), "volumeAttachment/@keys", "volumeAttachment/volumeId", "volumeAttachment/device", "volumeAttachment/id")
	s.settled("attached: the volume", vol, one, "volume/status", "volume/attachments/0/@keys", "volume/attachments/0/server_id", "volume/attachments/0/device", "volume/multiattach")
	s.ask("attached: list", compute, "GET "+all, nil, "@keys", "volumeAttachments/*/volumeId", "volumeAttachments/0/@keys")
	s.ask("attached: shown by the server", compute, "GET /servers/"+id, nil, "server/os-extended-volumes:volumes_attached")
	s.ask("attached: one", compute, "GET "+all+"/"+volume, nil, "volumeAttachment/@keys")
	s.ask("attached twice", compute, "POST "+all, of(volume))
	s.ask("a volume that is not there", compute, "POST "+all, of(nowhere))
	s.ask("deleted while it is attached", vol, "DELETE /volumes/"+volume, nil)
	s.ask("extended while it is attached", vol, path("POST /volumes/%s/action", volume), object("os-extend", "new_size", 2))
	s.ask("detached that is not attached", compute, "DELETE "+all+"/"+nowhere, nil)
	s.ask("detached", compute, "DELETE "+all+"/"+volume, nil)
	s.settled("detached: the volume", vol, one, "volume/status", "volume/attachments")
	s.ask("detached twice", compute, "DELETE "+all+"/"+volume, nil)
	s.do(compute, "POST "+all, of(volume))
	s.until(vol, one, "volume/status", "in-use")
	b.end(id)
	s.settled("of a server that was deleted", vol, one, "volume/status", "volume/attachments")
	s.do(vol, "DELETE /volumes/"+volume, nil)
	s.until(vol, one, "volume/status", gone)
	b.bootVolume()
	b.remove()
}

// bootVolume is a server whose disk is a volume that Nova makes, as the dataplane asks for it.
func (b *base) bootVolume() {
	root := func(pairs ...any) []any {
		return []any{object("", append([]any{"boot_index", 0, "source_type", "image", "destination_type", "volume", "uuid", b.bits, "volume_size", 1, "delete_on_termination", true}, pairs...)...)[""]}
	}
	id := b.ask("root: made", compute, "POST /servers", b.server("rooted", "imageRef", "", "block_device_mapping_v2", root()), "server/@keys").id("rooted")
	b.settled("root: in the end", compute, "GET /servers/"+id, "server/status", "server/image", "server/os-extended-volumes:volumes_attached/#", "server/os-extended-volumes:volumes_attached/0/delete_on_termination", "server/fault/message")
	volume := b.all(vol, "GET /volumes/detail", "volumes/*/id")[0]
	b.call(volume, "root")
	b.ask("root: the volume", vol, "GET /volumes/"+volume, nil, "volume/status", "volume/name", "volume/size", "volume/bootable", "volume/attachments/0/server_id", "volume/volume_image_metadata/image_id")
	b.ask("root: deleted while it is attached", vol, "DELETE /volumes/"+volume, nil)
	b.ask("root: detached", compute, path("DELETE /servers/%s/os-volume_attachments/%s", id, volume), nil)
	b.ask("root: rebuild with another image before 2.93", compute, path("POST /servers/%s/action", id), object("rebuild", "imageRef", b.other()))
	b.end(id)
	b.until(vol, "GET /volumes/"+volume, "volume/status", gone)
	b.record("root: the volume is deleted with the server", "yes")
	b.do(openstack.Image, "DELETE /images/"+b.meant("other"), nil)
	b.asAdmin(vol, "PUT /os-quota-sets/"+b.project, object("quota_set", "volumes", 0))
	id = b.ask("root: over the quota of volumes", compute, "POST /servers", b.server("rooted", "imageRef", "", "block_device_mapping_v2", root()), "server/@keys").id("poor")
	b.settled("root: over the quota of volumes: in the end", compute, "GET /servers/"+id, "server/status", "server/fault/code", "server/fault/message", "server/fault/@keys", "server/os-extended-volumes:volumes_attached")
	b.ask("root: over the quota of volumes: its ports", openstack.Network, "GET /ports?device_id="+id, nil, "ports")
	b.asAdmin(vol, "PUT /os-quota-sets/"+b.project, object("quota_set", "volumes", 10))
	b.end(id)
}

func (b *base) other() string { return b.image("other") }

// serverPorts are interfaces of servers, and ports that were there before.
func serverPorts(s *session) {
	const net = openstack.Network
	b := s.base()
	made := func(name, address string) string {
		return s.do(net, "POST /ports", object("port", "network_id", b.network, "name", name, "fixed_ips", []any{map[string]any{"ip_address": address}})).id(name)
	}
	own := made("own", "10.77.1.50")
	id := s.ask("made with a port", compute, "POST /servers", b.server("one", "networks", []any{map[string]any{"port": own}}), "server/@keys").id("one")
	s.settled("made with a port: in the end", compute, "GET /servers/"+id, "server/status", "server/addresses/lan/0/addr")
	s.ask("made with a port: it", net, "GET /ports/"+own, nil, "port/device_id", "port/device_owner", "port/name")
	s.ask("a port that is in use", compute, "POST /servers", b.server("x", "networks", []any{map[string]any{"port": own}}))
	s.ask("an address that is in use", compute, "POST /servers", b.server("x", "networks", []any{map[string]any{"uuid": b.network, "fixed_ip": "10.77.1.50"}}))
	// Neutron hears of it from an agent, which Nova need not have waited for.
	s.until(net, "GET /ports/"+own, "port/status", "ACTIVE")
	all := path("/servers/%s/os-interface", id)
	s.ask("interfaces", compute, "GET "+all, nil, "interfaceAttachments/*/port_id", "interfaceAttachments/0/@keys", "interfaceAttachments/0/port_state")
	s.ask("interface that is not there", compute, "GET "+all+"/"+nowhere, nil)
	s.ask("interface that is not there detached", compute, "DELETE "+all+"/"+nowhere, nil)
	b.end(id)
	s.ask("port of one's own outlives its server", net, "GET /ports/"+own, nil, "port/device_id", "port/device_owner", "port/status")
	s.do(net, "DELETE /ports/"+own, nil)
	b.remove()
}
