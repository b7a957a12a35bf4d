package nova

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Server is a server.
type Server struct {
	state.Base
	Status, Task string
	Description  *string
	User         string
	ImageID      string
	KeyName      *string
	Metadata     map[string]string
	Tags         []string
	Zone, Host   string
	ConfigDrive  bool
	Fault        *Fault

	flavor    Flavor
	oldFlavor *Flavor
	image     *glance.Image
	userData  []byte
	group     string
	wanted    []nic
	disks     []disk
	volumes   []attached
	nics      []nic
	secGroups []string
	launched  time.Time
	ended     time.Time
	job       chan struct{} `state:"-"`
}

// Fault is why a server is in ERROR.
type Fault struct {
	Code             int
	Message, Details string
	Created          time.Time
}

// nic is a network interface: a port that was there before, or one that Nova makes.
type nic struct {
	network, port, address string
	ours                   bool
}

// disk is a block device that is asked for.
type disk struct {
	image       *glance.Image
	volume      string
	size        int
	volumeType  string
	deleteToo   bool
	root, blank bool
}

// attached is a volume at a server.
type attached struct {
	volume, device string
	deleteToo      bool
	root           bool
	tag            *string
}

// vmStates are Nova's names for what the API calls status.
var vmStates = map[string]string{
	"BUILD": "building", "ACTIVE": "active", "SHUTOFF": "stopped", "ERROR": "error", "REBOOT": "active", "HARD_REBOOT": "active",
	"REBUILD": "active", "RESIZE": "active", "VERIFY_RESIZE": "resized", "DELETED": "deleted",
}

// own is the server in the path.
func (n *Nova) own(r *front.Request) (*Server, error) {
	s, ok := n.servers.Visible(r.PathValue("id"), r.Project(), r.Caller.Admin)
	if !ok {
		return nil, front.Errorf(http.StatusNotFound, "Instance %s could not be found.", r.PathValue("id"))
	}
	return s, nil
}

func links(r *front.Request, kind, id string) []any {
	return []any{
		map[string]any{"rel": "self", "href": r.Base() + "/compute/v2.1/" + kind + "/" + id},
		map[string]any{"rel": "bookmark", "href": r.Base() + "/compute/" + kind + "/" + id},
	}
}

// view is a server in the microversion of the request.
func (n *Nova) view(r *front.Request, s *Server) map[string]any {
	power := map[string]int{"ACTIVE": 1, "SHUTOFF": 4, "REBOOT": 1, "VERIFY_RESIZE": 1}[s.Status]
	v := map[string]any{
		"id": s.ID, "name": s.Name, "status": s.Status, "tenant_id": s.Project, "user_id": s.User, "metadata": s.Metadata,
		"created": s.Created.Format(time.RFC3339), "updated": s.Updated.Format(time.RFC3339), "hostId": "", "image": "",
		"accessIPv4": "", "accessIPv6": "", "links": links(r, "servers", s.ID), "addresses": n.addressView(s), "key_name": s.KeyName,
		"config_drive": "", "OS-DCF:diskConfig": "MANUAL", "OS-EXT-AZ:availability_zone": s.Zone,
		"OS-EXT-STS:vm_state": vmStates[s.Status], "OS-EXT-STS:task_state": nullable(s.Task), "OS-EXT-STS:power_state": power,
		"OS-SRV-USG:launched_at": when(s.launched), "OS-SRV-USG:terminated_at": when(s.ended),
		"os-extended-volumes:volumes_attached": n.attachedView(r, s), "flavor": s.flavor.embedded(r),
	}
	if s.ConfigDrive {
		v["config_drive"] = "True"
	}
	if s.Host != "" {
		v["hostId"] = fmt.Sprintf("%x", s.Project[:8]+s.Host)
	}
	if s.ImageID != "" {
		v["image"] = map[string]any{"id": s.ImageID, "links": links(r, "images", s.ImageID)[1:]}
	}
	if groups := n.groupNames(s); groups != nil && s.Host != "" {
		v["security_groups"] = groups
	}
	if s.Status == "BUILD" || s.Status == "ACTIVE" || s.Status == "REBUILD" {
		v["progress"] = 0
	}
	if s.Fault != nil && (s.Status == "ERROR" || s.Status == "DELETED") {
		fault := map[string]any{"code": s.Fault.Code, "message": s.Fault.Message, "created": s.Fault.Created.Format(time.RFC3339)}
		if r.Caller.Admin || s.Fault.Code != http.StatusInternalServerError {
			fault["details"] = s.Fault.Details
		}
		v["fault"] = fault
	}
	if r.Caller.Admin {
		v["OS-EXT-SRV-ATTR:host"], v["OS-EXT-SRV-ATTR:hypervisor_hostname"] = nullable(s.Host), nullable(s.Host)
		v["OS-EXT-SRV-ATTR:instance_name"] = "instance-" + s.ID[:8]
	}
	n.newer(r, s, v)
	return v
}

// newer adds what later microversions added.
func (n *Nova) newer(r *front.Request, s *Server, v map[string]any) {
	if r.Minor >= 9 {
		v["locked"] = false
	}
	if r.Minor >= 19 {
		v["description"] = s.Description
	}
	if r.Minor >= 26 {
		v["tags"] = append([]string{}, s.Tags...)
	}
	if r.Minor >= 63 {
		v["trusted_image_certificates"] = nil
	}
	if r.Minor >= 71 && r.PathValue("id") != "" {
		v["server_groups"] = []string{}
		if s.group != "" {
			v["server_groups"] = []string{s.group}
		}
	}
	if r.Minor >= 73 {
		v["locked_reason"] = nil
	}
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// when is a time as Nova writes it without a zone.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format("2006-01-02T15:04:05.000000")
}

func (n *Nova) addressView(s *Server) map[string]any {
	by := map[string]any{}
	for _, a := range n.addresses(s) {
		kind, version := "fixed", 4
		if a.Floating {
			kind = "floating"
		}
		if strings.Contains(a.IP, ":") {
			version = 6
		}
		list, _ := by[a.Network].([]any)
		by[a.Network] = append(list, map[string]any{"addr": a.IP, "version": version, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": a.MAC})
	}
	return by
}

func (n *Nova) attachedView(r *front.Request, s *Server) []any {
	views := []any{}
	for _, a := range s.volumes {
		v := map[string]any{"id": a.volume}
		if r.Minor >= 3 {
			v["delete_on_termination"] = a.deleteToo
		}
		views = append(views, v)
	}
	return views
}

// groupIDs are the security groups of a server's ports, and while it has none, those that
// were asked for.
func (n *Nova) groupIDs(s *Server) []string {
	ports := n.neutron.PortsOf(s.ID)
	if len(ports) == 0 {
		return s.secGroups
	}
	var ids []string
	for _, p := range ports {
		for _, id := range p.SecurityGroups {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func (n *Nova) groupNames(s *Server) []any {
	var names []any
	for _, id := range n.groupIDs(s) {
		names = append(names, map[string]any{"name": n.neutron.GroupName(id)})
	}
	return names
}
