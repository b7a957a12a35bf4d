package nova

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// python is a value of JSON as Python writes it, with keys in their order in the alphabet.
func python(value any) string {
	switch v := value.(type) {
	case nil:
		return "None"
	case bool:
		return strings.ToUpper(fmt.Sprint(v)[:1]) + fmt.Sprint(v)[1:]
	case string:
		return "'" + v + "'"
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = python(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, python(key)+": "+python(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return fmt.Sprint(v)
	}
}

// said is what a request says under a key, as errors repeat it.
func said(r *front.Request, key string) string {
	var body map[string]any
	_ = json.Unmarshal(r.Body, &body)
	return python(body[key])
}

// oneOf is a list of choices as errors show it.
func oneOf(choices ...string) string { return "['" + strings.Join(choices, "', '") + "']" }

var (
	isUUID      = regexp.MustCompile(`^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$`).MatchString
	metadataKey = regexp.MustCompile(`^[a-zA-Z0-9-_:. ]{1,255}$`)
)

// sortKeys are what servers are sorted by, and the fields of that.
var sortKeys = map[string]string{
	"access_ip_v4": "accessIPv4", "access_ip_v6": "accessIPv6", "auto_disk_config": "OS-DCF:diskConfig", "availability_zone": "OS-EXT-AZ:availability_zone", "config_drive": "config_drive",
	"created_at": "created", "display_description": "description", "display_name": "name", "host": "hostId", "hostname": "name", "image_ref": "image", "instance_type_id": "flavor",
	"kernel_id": "", "key_name": "key_name", "launch_index": "", "launched_at": "OS-SRV-USG:launched_at", "locked_by": "", "node": "", "power_state": "OS-EXT-STS:power_state", "progress": "progress",
	"project_id": "tenant_id", "ramdisk_id": "", "root_device_name": "", "task_state": "OS-EXT-STS:task_state", "terminated_at": "OS-SRV-USG:terminated_at", "updated_at": "updated",
	"user_id": "user_id", "uuid": "id", "vm_state": "OS-EXT-STS:vm_state",
}
