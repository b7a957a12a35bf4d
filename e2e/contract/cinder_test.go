package contract

import "github.com/marina-dev/marina/dataplane/openstack"

func volumes(s *session) {
	const vol = openstack.Volume
	of := func(pairs ...any) map[string]any { return object("volume", append([]any{"size", 1}, pairs...)...) }
	s.ask("none", vol, "GET /volumes/detail", nil, "@keys", "volumes")
	a := s.ask("made", vol, "POST /volumes", of("name", "one", "metadata", map[string]string{"a": "b"}), "volume/@keys", "volume/status", "volume/name", "volume/size", "volume/bootable", "volume/attachments", "volume/availability_zone", "volume/metadata")
	id := a.id("volume")
	at1 := "GET /volumes/" + id
	s.settled("made: in the end", vol, at1, "volume/status", "volume/@keys", "volume/bootable", "volume/encrypted")
	s.ask("by its name", vol, "GET /volumes/detail?name=one", nil, "volumes/*/id")
	s.ask("by a part of its name", vol, "GET /volumes/detail?name=on", nil, "volumes")
	s.ask("by a status", vol, "GET /volumes/detail?status=available", nil, "volumes/*/id")
	s.ask("by metadata", vol, "GET /volumes/detail?metadata=%7B%22a%22%3A%22b%22%7D", nil, "volumes/*/id")
	s.ask("by other metadata", vol, "GET /volumes/detail?metadata=%7B%22a%22%3A%22c%22%7D", nil, "volumes")
	s.ask("by a filter that is not known", vol, "GET /volumes/detail?colour=blue", nil, "volumes/*/id")
	s.ask("list", vol, "GET /volumes", nil, "volumes/0/@keys")
	s.ask("page", vol, "GET /volumes/detail?limit=1", nil, "@keys", "volumes/#")
	s.ask("page after a marker that is not there", vol, "GET /volumes/detail?marker="+nowhere, nil)
	s.ask("one that is not there", vol, "GET /volumes/"+nowhere, nil)
	s.ask("deleted that is not there", vol, "DELETE /volumes/"+nowhere, nil)
	s.ask("of no size", vol, "POST /volumes", object("volume", "name", "x"))
	s.ask("of size 0", vol, "POST /volumes", object("volume", "size", 0))
	s.ask("of a type that is not there", vol, "POST /volumes", of("volume_type", "magic"))
	s.ask("in a zone that is not there", vol, "POST /volumes", of("availability_zone", "magic"))
	s.ask("of an image that is not there", vol, "POST /volumes", of("imageRef", nowhere))
	extra := s.ask("with a key that is not known", vol, "POST /volumes", of("colour", "blue"))
	if other := extra.text("volume/id"); other != "" {
		s.until(vol, "GET /volumes/"+other, "volume/status", "available")
		s.do(vol, "DELETE /volumes/"+other, nil)
		s.until(vol, "GET /volumes/"+other, "volume/status", gone)
	}
	big := s.image("big", "min_disk", 5)
	s.ask("of an image that is too large", vol, "POST /volumes", of("imageRef", big))
	s.do(openstack.Image, "DELETE /images/"+big, nil)
	s.ask("renamed", vol, "PUT /volumes/"+id, object("volume", "name", "two"), "volume/name", "volume/status")
	s.ask("extended to less", vol, path("POST /volumes/%s/action", id), object("os-extend", "new_size", 1))
	s.ask("extended", vol, path("POST /volumes/%s/action", id), object("os-extend", "new_size", 2))
	s.until(vol, at1, "volume/status", "available")
	s.ask("extended: in the end", vol, at1, nil, "volume/size")
	s.ask("types", vol, "GET /types", nil, "@keys", "volume_types/0/@keys")
	s.ask("a type that is not there", vol, "GET /types/"+nowhere, nil)
	s.ask("zones", vol, "GET /os-availability-zone", nil, "@keys", "availabilityZoneInfo/*/zoneName", "availabilityZoneInfo/0/zoneState/available")
	s.volumeQuotas()
	s.ask("deleted", vol, "DELETE /volumes/"+id, nil)
	s.until(vol, at1, "volume/status", gone)
	s.ask("deleted: shown", vol, at1, nil)
}

func (s *session) volumeQuotas() {
	const vol = openstack.Volume
	s.ask("limits", vol, "GET /limits", nil, "limits/@keys", "limits/absolute/@keys", "limits/absolute/maxTotalVolumes", "limits/absolute/totalVolumesUsed", "limits/absolute/maxTotalVolumeGigabytes", "limits/absolute/totalGigabytesUsed", "limits/rate")
	s.ask("quota set", vol, "GET /os-quota-sets/"+s.project, nil, "quota_set/volumes", "quota_set/gigabytes")
	s.ask("quota set with its use", vol, "GET /os-quota-sets/"+s.project+"?usage=true", nil, "quota_set/volumes/@keys", "quota_set/volumes/in_use", "quota_set/gigabytes/in_use")
	s.ask("quota set of another project", vol, "GET /os-quota-sets/"+nowhere, nil)
	s.ask("quota set without the right to", vol, "PUT /os-quota-sets/"+s.project, object("quota_set", "volumes", 1))
	quota := func(kind string, limit int) {
		s.asAdmin(vol, "PUT /os-quota-sets/"+s.project, object("quota_set", kind, limit))
	}
	quota("volumes", 1)
	s.ask("over the quota of volumes", vol, "POST /volumes", object("volume", "size", 1))
	quota("volumes", 10)
	quota("gigabytes", 3)
	s.ask("over the quota of gigabytes", vol, "POST /volumes", object("volume", "size", 5))
	quota("gigabytes", 1000)
}
