package contract

import (
	"os"
	"strings"
	"testing"
)

// difference is what the simulator answers on purpose where a real cloud answers something
// else.
type difference struct{ simulator, reason string }

// differences are by group and fact. One that is there no more, or has become another one,
// fails the test. docs/reference/openstack-simulator.md has the reasons.
var differences = map[string]difference{
	"keystone: login by a credential and a scope": {
		"401 error{code message title}\nUnauthorized: Error authenticating with application credential: Application credentials cannot request a scope.",
		"the error has no field `identity`, which nobody reads",
	},
	"octavia: in the end": {
		"200\nloadbalancer/provisioning_status = ACTIVE\nloadbalancer/operating_status = ONLINE",
		"a load balancer is ONLINE, as one of an amphora that reports is; the facts are of a cloud without amphorae",
	},
	"octavia-parts: pool of a listener that is not there": {
		"404 debuginfo faultcode faultstring\nNotFound: Listener {uuid} not found.",
		"a pool for a listener that is not there is refused with 404; Octavia fails with 500, by a mistake of its own",
	},
	"nova-volumes: attached": {
		"200\nvolumeAttachment/@keys = device id serverId volumeId\nvolumeAttachment/volumeId = {volume}\nvolumeAttachment/device = /dev/vdb\nvolumeAttachment/id = {volume}",
		"disks are virtio (`/dev/vdb`), as those of KVM are; those of the fake driver are SCSI",
	},
	"nova-volumes: attached: the volume": {
		"200\nvolume/status = in-use\nvolume/attachments/0/@keys = attached_at attachment_id device host_name id server_id volume_id\nvolume/attachments/0/server_id = {one}\nvolume/attachments/0/device = /dev/vdb\nvolume/multiattach = false",
		"disks are virtio (`/dev/vdb`), as those of KVM are; those of the fake driver are SCSI",
	},
	"nova-refused: with a flavor that fits nowhere: in the end": {
		"200\nserver/status = ACTIVE\nserver/fault/code = (absent)\nserver/fault/message = (absent)\nserver/OS-EXT-STS:vm_state = active",
		"hosts have room for any number of servers of any size; `FailBuilds` and `SetHosts` have builds fail",
	},
	"nova-refused: with a flavor that fits nowhere: its ports": {
		"200\nports/*/device_owner = [\"compute:nova\"]",
		"hosts have room for any number of servers of any size; `FailBuilds` and `SetHosts` have builds fail",
	},
}

// cut is the fact of a key, if it is one of a group.
func cut(key, group string) (string, bool) { return strings.CutPrefix(key, group+": ") }

// TestDifferencesAreDocumented has the reference of the simulator name all of them.
func TestDifferencesAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/reference/openstack-simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range differences {
		if !strings.Contains(string(data), d.reason) {
			t.Errorf("the document does not say of %q: %s", name, d.reason)
		}
	}
}
