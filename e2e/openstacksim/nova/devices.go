package nova

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
)

const gib = 1 << 30

// number reads what clients write as a number or as a string.
func number(v any) (int, bool) {
	switch v := v.(type) {
	case float64:
		return int(v), true
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	}
	return 0, false
}

// takeDisks finds out what the server boots from and which volumes it gets.
func (n *Nova) takeDisks(r *front.Request, in createRequest, s *Server) error {
	rooted := in.ImageRef != ""
	if rooted {
		image, ok := n.glance.Find(in.ImageRef, r.Project())
		if !ok {
			return front.Errorf(http.StatusBadRequest, "Can not find requested image")
		}
		s.image, s.ImageID = image, image.ID
	}
	volumeRoot := false
	for _, d := range in.Devices {
		if d.VolumeType != "" && r.Minor < 67 {
			return invalidInput("block_device_mapping_v2/0", "{...}", "Additional properties are not allowed ('volume_type' was unexpected)")
		}
		boot, said := number(d.BootIndex)
		root := said && boot == 0
		made, err := n.takeDevice(r, d, s, root)
		if err != nil {
			return err
		}
		if root {
			if rooted && d.DestinationType == "volume" {
				return badBoot()
			}
			rooted = true
		}
		if made != nil {
			made.root = root
			s.disks = append(s.disks, *made)
			volumeRoot = volumeRoot || root
		}
	}
	if !rooted {
		return badBoot()
	}
	return checkImage(s, volumeRoot)
}

func badBoot() error {
	return front.Errorf(http.StatusBadRequest, "Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.")
}

// takeDevice is the volume that a block device stands for; none is a local disk.
func (n *Nova) takeDevice(r *front.Request, d device, s *Server, root bool) (*disk, error) {
	size, _ := number(d.VolumeSize)
	made := &disk{size: size, volumeType: d.VolumeType, deleteToo: d.DeleteToo}
	if d.VolumeType != "" {
		if _, ok := n.cinder.FindType(d.VolumeType); !ok {
			return nil, front.Errorf(http.StatusBadRequest, "Volume type %s could not be found.", d.VolumeType)
		}
	}
	switch d.SourceType {
	case "image":
		image, ok := n.glance.Find(d.UUID, r.Project())
		if !ok {
			return nil, front.Errorf(http.StatusBadRequest, "Block Device Mapping is Invalid: failed to get image %s.", d.UUID)
		}
		if d.DestinationType != "volume" {
			if root {
				s.image = image
			}
			return nil, nil
		}
		if size == 0 {
			return nil, front.Errorf(http.StatusBadRequest, "Images with destination_type 'volume' need to have a non-zero size specified")
		}
		if size < image.MinDisk {
			return nil, front.Errorf(http.StatusBadRequest, "Volume is smaller than the minimum size specified in image metadata. Volume size is %d bytes, minimum size is %d bytes.", size*gib, image.MinDisk*gib)
		}
		made.image = image
	case "volume":
		v, ok := n.cinder.Find(d.UUID, r.Project())
		if !ok {
			return nil, front.Errorf(http.StatusBadRequest, "Block Device Mapping is Invalid: failed to get volume %s.", d.UUID)
		}
		if v.Status != "available" {
			return nil, front.Errorf(http.StatusBadRequest, "Invalid volume: volume '%s' status must be 'available'. Currently in '%s'", v.ID, v.Status)
		}
		if root && !v.Bootable {
			return nil, front.Errorf(http.StatusBadRequest, "Block Device %s is not bootable.", v.ID)
		}
		made.volume = v.ID
	case "blank":
		if d.DestinationType != "volume" {
			return nil, nil
		}
		made.blank = true
	default:
		return nil, invalidInput("source_type", d.SourceType, "'%s' is not one of ['volume', 'image', 'snapshot', 'blank']", d.SourceType)
	}
	return made, nil
}

// checkImage checks that the flavor is big enough for the image.
func checkImage(s *Server, volumeRoot bool) error {
	image := s.image
	for _, d := range s.disks {
		if d.root && d.image != nil {
			image = d.image
		}
	}
	if !volumeRoot && s.flavor.Disk == 0 {
		return front.Errorf(http.StatusForbidden, "Only volume-backed servers are allowed for flavors with zero disk.")
	}
	if image == nil {
		return nil
	}
	return fits(image, s.flavor, volumeRoot)
}

func fits(image *glance.Image, flavor Flavor, volumeRoot bool) error {
	if image.Status != "active" {
		return front.Errorf(http.StatusBadRequest, "Image %s is not active.", image.ID)
	}
	if flavor.RAM < image.MinRAM {
		return front.Errorf(http.StatusBadRequest, "Flavor's memory is too small for requested image.")
	}
	if !volumeRoot && flavor.Disk < image.MinDisk {
		return front.Errorf(http.StatusBadRequest, "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is %d bytes, minimum size is %d bytes.", flavor.Disk*gib, image.MinDisk*gib)
	}
	return nil
}

// takeNetworks finds out which ports the server gets.
func (n *Nova) takeNetworks(r *front.Request, in createRequest, s *Server) error {
	var word string
	if json.Unmarshal(in.Networks, &word) == nil && word != "" {
		if r.Minor < 37 {
			return invalidInput("networks", word, "'%s' is not of type 'array'", word)
		}
		switch word {
		case "none":
			return nil
		case "auto":
			return n.autoNetwork(r, s)
		}
		return invalidInput("networks", word, "'%s' is not one of ['none', 'auto']", word)
	}
	var asked []struct {
		UUID    string `json:"uuid"`
		Port    string `json:"port"`
		FixedIP string `json:"fixed_ip"`
		Tag     string `json:"tag"`
	}
	if len(in.Networks) > 0 {
		if err := json.Unmarshal(in.Networks, &asked); err != nil {
			return invalidInput("networks", string(in.Networks), "is not valid under any of the given schemas")
		}
	}
	if len(asked) == 0 {
		return n.autoNetwork(r, s)
	}
	fresh := 0
	for _, a := range asked {
		if a.UUID != "" && !isUUID(a.UUID) {
			var list any
			_ = json.Unmarshal(in.Networks, &list)
			return invalidInput("networks", python(list), "%s is not valid under any of the given schemas", python(list))
		}
		if a.Port != "" {
			p, ok := n.neutron.Port(a.Port, r.Project())
			if !ok {
				return front.Errorf(http.StatusBadRequest, "Port id %s could not be found.", a.Port)
			}
			if p.DeviceID != "" || slices.ContainsFunc(s.wanted, func(w nic) bool { return w.port == p.ID }) {
				return front.Errorf(http.StatusConflict, "Port %s is still in use.", a.Port)
			}
			s.wanted = append(s.wanted, nic{network: p.NetworkID, port: p.ID})
			continue
		}
		if _, ok := n.neutron.NetworkFor(a.UUID, r.Project()); !ok {
			return front.Errorf(http.StatusBadRequest, "Network %s could not be found.", a.UUID)
		}
		if other := n.neutron.Holder(a.UUID, a.FixedIP); a.FixedIP != "" && other != "" {
			return front.Errorf(http.StatusBadRequest, "Fixed IP address %s is already in use on instance %s.", a.FixedIP, other)
		}
		if !n.neutron.HasSubnet(a.UUID) {
			return front.Errorf(http.StatusBadRequest, "Network %s requires a subnet in order to boot instances on.", a.UUID)
		}
		fresh++
		s.wanted = append(s.wanted, nic{network: a.UUID, address: a.FixedIP, ours: true})
	}
	return n.checkPorts(r.Project(), fresh)
}

func (n *Nova) checkPorts(project string, fresh int) error {
	if n.neutron.Quotas.Over(project, "port", fresh) {
		return front.Errorf(http.StatusForbidden, "Maximum number of ports exceeded")
	}
	return nil
}

// autoNetwork takes the only network that there is.
func (n *Nova) autoNetwork(r *front.Request, s *Server) error {
	all := n.neutron.NetworksOf(r.Project())
	switch {
	case len(all) == 0 && r.Minor >= 37:
		return front.Errorf(http.StatusBadRequest, "Unable to automatically allocate a network for project %s", r.Project())
	case len(all) == 0:
		return nil
	case len(all) > 1:
		return front.Errorf(http.StatusConflict, "Multiple possible networks found, use a Network ID to be more specific.")
	}
	s.wanted = []nic{{network: all[0].ID, ours: true}}
	return n.checkPorts(r.Project(), 1)
}

func (n *Nova) used(project, resource string) int {
	sum := 0
	switch resource {
	case "server_groups":
		return n.groups.Count(project)
	case "key_pairs":
		return n.keypairs.Count(project)
	case "instances", "cores", "ram":
		for _, s := range n.servers.Of(project) {
			sum += map[string]int{"instances": 1, "cores": s.flavor.VCPUs, "ram": s.flavor.RAM}[resource]
		}
	}
	return sum
}

func (n *Nova) checkQuota(r *front.Request, _ createRequest, s *Server) error {
	return n.overQuota(r.Project(), map[string]int{"instances": 1, "cores": s.flavor.VCPUs, "ram": s.flavor.RAM})
}

func (n *Nova) overQuota(project string, more map[string]int) error {
	var overs, requested, used, allowed []string
	for _, resource := range []string{"cores", "instances", "ram"} {
		if more[resource] > 0 && n.Quotas.Over(project, resource, more[resource]) {
			overs = append(overs, resource)
			requested = append(requested, fmt.Sprint(more[resource]))
			used = append(used, fmt.Sprint(n.used(project, resource)))
			allowed = append(allowed, fmt.Sprint(n.Quotas.Limit(project, resource)))
		}
	}
	if len(overs) == 0 {
		return nil
	}
	list := func(l []string) string { return strings.Join(l, ", ") }
	return front.Errorf(http.StatusForbidden, "Quota exceeded for %s: Requested %s, but already used %s of %s %s", list(overs), list(requested), list(used), list(allowed), list(overs))
}
