package contract

import "github.com/marina-dev/marina/dataplane/openstack"

// actions are what is done to a server that runs.
func actions(s *session) {
	b := s.base()
	id := b.run("one")
	one, do := "GET /servers/"+id, path("POST /servers/%s/action", id)
	settled := func(name string) { s.settled(name, compute, one, "server/status", "server/OS-EXT-STS:task_state") }
	idle := func() { s.until(compute, one, "server/OS-EXT-STS:task_state", "null") }
	port := s.do(openstack.Network, "GET /ports?device_id="+id, nil)
	s.call(port.text("ports/0/id"), "port")
	s.call(port.text("ports/0/fixed_ips/0/ip_address"), "address of one")
	s.ask("start of one that runs", compute, do, map[string]any{"os-start": nil})
	s.ask("stop", compute, do, map[string]any{"os-stop": nil})
	s.until(compute, one, "server/status", "SHUTOFF")
	s.ask("stopped", compute, one, nil, "server/status", "server/OS-EXT-STS:vm_state", "server/OS-EXT-STS:power_state", "server/addresses/@keys")
	s.ask("stop of one that is stopped", compute, do, map[string]any{"os-stop": nil})
	s.ask("reboot of one that is stopped", compute, do, object("reboot", "type", "SOFT"))
	s.ask("start", compute, do, map[string]any{"os-start": nil})
	s.until(compute, one, "server/status", "ACTIVE")
	idle()
	s.ask("reboot", compute, do, object("reboot", "type", "SOFT"))
	idle()
	settled("reboot: in the end")
	s.ask("hard reboot", compute, do, object("reboot", "type", "HARD"))
	idle()
	settled("hard reboot: in the end")
	s.ask("reboot of a type that is none", compute, do, object("reboot", "type", "SLOW"))
	s.ask("an action that is none", compute, do, map[string]any{"magic": nil})
	s.ask("two actions at once", compute, do, map[string]any{"os-start": nil, "os-stop": nil})
	s.ask("an action of a server that is not there", compute, path("POST /servers/%s/action", nowhere), map[string]any{"os-stop": nil})
	s.ask("console", compute, do, object("os-getConsoleOutput", "length", 5), "@keys")
	b.rebuild(id)
	b.resize(id)
	b.end(id)
	b.remove()
}

func (b *base) rebuild(id string) {
	one, do := "GET /servers/"+id, path("POST /servers/%s/action", id)
	before := b.do(openstack.Network, "GET /ports?device_id="+id, nil)
	other := b.image("other image")
	of := func(pairs ...any) map[string]any {
		return object("rebuild", append([]any{"imageRef", other}, pairs...)...)
	}
	b.ask("rebuild with user data in an old microversion", compute+"@2.56", do, of("user_data", "bmV3"))
	b.ask("rebuild with an image that is not there", compute, do, object("rebuild", "imageRef", nowhere))
	b.ask("rebuild without an image", compute, do, object("rebuild", "user_data", "bmV3"))
	b.ask("rebuild", compute, do, of("user_data", "bmV3", "metadata", map[string]string{"c": "d"}), "server/@keys", "server/id", "server/status", "server/user_data", "server/image/id", "server/metadata")
	b.ask("reboot of one that is rebuilt", compute, do, object("reboot", "type", "HARD"))
	b.until(compute, one, "server/OS-EXT-STS:task_state", "null")
	b.settled("rebuild: in the end", compute, one, "server/status", "server/id", "server/image/id", "server/metadata", "server/name")
	after := b.do(openstack.Network, "GET /ports?device_id="+id, nil)
	b.record("rebuild: the same port", map[bool]string{true: "yes", false: "no"}[before.text("ports/0/id") == after.text("ports/0/id")])
	b.record("rebuild: the same addresses", map[bool]string{true: "yes", false: "no"}[before.text("ports/0/fixed_ips") == after.text("ports/0/fixed_ips")])
	b.ask("rebuild without metadata keeps them", compute, do, of(), "server/metadata", "server/user_data")
	b.until(compute, one, "server/OS-EXT-STS:task_state", "null")
	b.until(compute, one, "server/status", "ACTIVE")
	b.do(openstack.Image, "DELETE /images/"+other, nil)
}

func (b *base) resize(id string) {
	do := path("POST /servers/%s/action", id)
	larger := b.call(b.cloud.addFlavor(b.T, flavor{"contract-larger", 2, 128, 1}), "larger")
	b.ask("resize to a flavor that is not there", compute, do, object("resize", "flavorRef", nowhere))
	b.ask("resize to the same flavor", compute, do, object("resize", "flavorRef", b.flavor))
	b.ask("confirm of no resize", compute, do, map[string]any{"confirmResize": nil})
	b.ask("revert of no resize", compute, do, map[string]any{"revertResize": nil})
	_ = larger
}

// computePlain are versions, and what there is to choose from.
func computePlain(s *session) {
	for _, version := range []string{"", "2.1", "2.67", "2.79", "2.93", "2.94", "3.0", "1.0", "x", "latest"} {
		a := s.send(s.client, compute+"@"+version, "GET /servers", nil)
		s.record("microversion "+version, a.fact(compute, nil)+"\nOpenStack-API-Version: "+a.header.Get("OpenStack-API-Version"))
	}
	s.ask("version", compute, "GET /", nil, "version/id", "version/status", "version/version", "version/min_version", "version/@keys")
	s.ask("zones", compute, "GET /os-availability-zone", nil, "@keys", "availabilityZoneInfo/*/zoneName", "availabilityZoneInfo/0/zoneState/available", "availabilityZoneInfo/0/hosts")
	s.ask("zones in detail without the right to", compute, "GET /os-availability-zone/detail", nil)
	s.ask("a path that is none", compute, "GET /magic", nil)
	id := s.call(s.cloud.addFlavor(s.T, small), "flavor")
	s.ask("flavor", compute, "GET /flavors/"+id, nil, "flavor/@keys", "flavor/vcpus", "flavor/ram", "flavor/disk", "flavor/swap", "flavor/rxtx_factor")
	s.ask("flavor in an old microversion", compute+"@2.1", "GET /flavors/"+id, nil, "flavor/@keys", "flavor/swap")
	s.ask("flavors", compute, "GET /flavors/detail", nil, "@keys", "flavors/0/@keys")
	s.ask("flavor that is not there", compute, "GET /flavors/"+nowhere, nil)
	s.ask("flavors: limit", compute, "GET /flavors/detail?limit=1", nil, "flavors/#")
	s.ask("flavors: after a marker that is not there", compute, "GET /flavors/detail?marker="+nowhere, nil)
	s.ask("flavor: made without the right to", compute, "POST /flavors", object("flavor", "name", "x", "vcpus", 1, "ram", 64, "disk", 1))
	s.ask("flavor: extra specs", compute, "GET /flavors/"+id+"/os-extra_specs", nil, "extra_specs")
	public := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6n4Gpz7L3cZ1yIVOQWOxB8rLkXxFVBvSx7gDBcVJ2l me"
	pair := func(pairs ...any) map[string]any { return object("keypair", pairs...) }
	s.ask("key pair: made", compute, "POST /os-keypairs", pair("name", "mine", "public_key", public), "keypair/@keys", "keypair/name", "keypair/type")
	s.ask("key pair: made twice", compute, "POST /os-keypairs", pair("name", "mine", "public_key", public))
	s.ask("key pair: with a key that is none", compute, "POST /os-keypairs", pair("name", "other", "public_key", "x"))
	s.ask("key pair: shown", compute, "GET /os-keypairs/mine", nil, "keypair/@keys")
	s.ask("key pairs", compute, "GET /os-keypairs", nil, "keypairs/*/keypair/name", "keypairs/0/keypair/@keys")
	s.ask("key pair: deleted", compute, "DELETE /os-keypairs/mine", nil)
	s.ask("key pair: deleted twice", compute, "DELETE /os-keypairs/mine", nil)
	s.ask("key pair: that is not there", compute, "GET /os-keypairs/mine", nil)
}
