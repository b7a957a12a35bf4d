package nova

import (
	"net/http"
	"slices"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/neutron"
)

func (n *Nova) attachmentRoutes(s *front.Service) {
	const volumes, ports = "/servers/{id}/os-volume_attachments", "/servers/{id}/os-interface"
	s.Handle("GET", volumes, http.StatusOK, n.with(func(r *front.Request, s *Server) (any, error) {
		views := []any{}
		for _, a := range s.volumes {
			views = append(views, attachmentView(r, s, a))
		}
		return map[string]any{"volumeAttachments": views}, nil
	}))
	s.Handle("POST", volumes, http.StatusOK, n.with(n.attachVolume))
	s.Handle("GET", volumes+"/{volume}", http.StatusOK, n.with(func(r *front.Request, s *Server) (any, error) {
		at, err := n.attachment(r, s)
		if err != nil {
			return nil, err
		}
		return map[string]any{"volumeAttachment": attachmentView(r, s, s.volumes[at])}, nil
	}))
	s.Handle("PUT", volumes+"/{volume}", http.StatusAccepted, needs(85, n.with(func(r *front.Request, s *Server) (any, error) {
		at, err := n.attachment(r, s)
		if err != nil {
			return nil, err
		}
		in := struct {
			DeleteToo *bool `json:"delete_on_termination"`
		}{&s.volumes[at].deleteToo}
		return nil, r.Decode("volumeAttachment", &in)
	})))
	s.Handle("DELETE", volumes+"/{volume}", http.StatusAccepted, n.with(n.detachVolume))
	s.Handle("GET", ports, http.StatusOK, n.with(func(_ *front.Request, s *Server) (any, error) {
		views := []any{}
		for _, p := range n.neutron.PortsOf(s.ID) {
			views = append(views, interfaceView(p))
		}
		return map[string]any{"interfaceAttachments": views}, nil
	}))
	s.Handle("GET", ports+"/{port}", http.StatusOK, n.with(func(r *front.Request, s *Server) (any, error) {
		p, err := n.interfaceOf(r, s)
		if err != nil {
			return nil, err
		}
		return map[string]any{"interfaceAttachment": interfaceView(p)}, nil
	}))
	s.Handle("POST", ports, http.StatusOK, n.with(n.attachInterface))
	s.Handle("DELETE", ports+"/{port}", http.StatusAccepted, n.with(n.detachInterface))
	s.Handle("GET", "/servers/{id}/os-security-groups", http.StatusOK, n.with(func(_ *front.Request, s *Server) (any, error) {
		views := []any{}
		for _, id := range n.groupIDs(s) {
			views = append(views, map[string]any{"id": id, "name": n.neutron.GroupName(id), "description": "", "tenant_id": s.Project, "rules": []any{}})
		}
		return map[string]any{"security_groups": views}, nil
	}))
}

func (n *Nova) attachment(r *front.Request, s *Server) (int, error) {
	if _, there := n.cinder.Find(r.PathValue("volume"), s.Project); !there {
		return 0, front.Errorf(http.StatusNotFound, "Volume %s could not be found.", r.PathValue("volume"))
	}
	at := slices.IndexFunc(s.volumes, func(a attached) bool { return a.volume == r.PathValue("volume") })
	if at < 0 {
		return 0, front.Errorf(http.StatusNotFound, "Instance %s is not attached to volume %s", s.ID, r.PathValue("volume"))
	}
	return at, nil
}

func attachmentView(r *front.Request, s *Server, a attached) map[string]any {
	v := map[string]any{"id": a.volume, "volumeId": a.volume, "serverId": s.ID, "device": a.device}
	if r.Minor >= 70 {
		v["tag"] = a.tag
	}
	if r.Minor >= 79 {
		v["delete_on_termination"] = a.deleteToo
	}
	if r.Minor >= 89 {
		delete(v, "id")
		v["attachment_id"], v["bdm_uuid"] = a.volume, a.volume
	}
	return v
}

func (n *Nova) attachVolume(r *front.Request, s *Server) (any, error) {
	keys, err := r.Keys("volumeAttachment")
	if err != nil {
		return nil, err
	}
	if _, said := keys["delete_on_termination"]; said && r.Minor < 79 {
		return nil, invalidInput("volumeAttachment", "{...}", "Additional properties are not allowed ('delete_on_termination' was unexpected)")
	}
	var in struct {
		VolumeID  string  `json:"volumeId"`
		Device    string  `json:"device"`
		Tag       *string `json:"tag"`
		DeleteToo bool    `json:"delete_on_termination"`
	}
	if err := r.Decode("volumeAttachment", &in); err != nil {
		return nil, err
	}
	v, ok := n.cinder.Find(in.VolumeID, s.Project)
	if !ok {
		return nil, front.Errorf(http.StatusNotFound, "Volume %s could not be found.", in.VolumeID)
	}
	if err := must(s, "attach_volume", "ACTIVE", "SHUTOFF"); err != nil {
		return nil, err
	}
	if len(v.Attachments) > 0 {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid volume: volume %s is already attached to instances: %s", v.ID, v.Attachments[0].Server)
	}
	if v.Status != "available" {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid volume: volume %s status must be available to reserve, but the status is %s.", v.ID, v.Status)
	}
	a := attached{volume: v.ID, device: in.Device, deleteToo: in.DeleteToo, tag: in.Tag}
	if a.device == "" {
		a.device = deviceName(len(s.volumes) + 1)
	}
	n.attach(s, v, a)
	return map[string]any{"volumeAttachment": attachmentView(r, s, a)}, nil
}

func (n *Nova) detachVolume(r *front.Request, s *Server) (any, error) {
	at, err := n.attachment(r, s)
	if err != nil {
		return nil, err
	}
	if s.volumes[at].root {
		return nil, front.Errorf(http.StatusBadRequest, "Cannot detach a root device volume")
	}
	if v, ok := n.cinder.Find(s.volumes[at].volume, s.Project); ok {
		n.cinder.Detach(v, s.ID, false)
	}
	s.volumes = slices.Delete(slices.Clone(s.volumes), at, at+1)
	return nil, nil
}

func interfaceView(p *neutron.Port) map[string]any {
	return map[string]any{"port_id": p.ID, "net_id": p.NetworkID, "mac_addr": p.MAC, "port_state": p.Status, "fixed_ips": p.FixedIPs}
}

func (n *Nova) interfaceOf(r *front.Request, s *Server) (*neutron.Port, error) {
	p, ok := n.neutron.Port(r.PathValue("port"), s.Project)
	if !ok || p.DeviceID != s.ID {
		return nil, front.Errorf(http.StatusNotFound, "Port id %s could not be found.", r.PathValue("port"))
	}
	return p, nil
}

func (n *Nova) attachInterface(r *front.Request, s *Server) (any, error) {
	var in struct {
		Port  string            `json:"port_id"`
		Net   string            `json:"net_id"`
		Fixed []neutron.FixedIP `json:"fixed_ips"`
	}
	if err := r.Decode("interfaceAttachment", &in); err != nil {
		return nil, err
	}
	if in.Port != "" && in.Net != "" {
		return nil, front.Errorf(http.StatusBadRequest, "Must not input both network_id and port_id")
	}
	if err := must(s, "attach_interface", "ACTIVE", "SHUTOFF"); err != nil {
		return nil, err
	}
	if in.Port != "" {
		p, ok := n.neutron.Port(in.Port, s.Project)
		if !ok {
			return nil, front.Errorf(http.StatusNotFound, "Port id %s could not be found.", in.Port)
		}
		if p.DeviceID != "" {
			return nil, front.Errorf(http.StatusConflict, "Port %s is still in use.", in.Port)
		}
		n.neutron.Bind(p, s.ID, "compute:"+s.Zone, s.Host)
		s.nics = append(s.nics, nic{network: p.NetworkID, port: p.ID})
		return map[string]any{"interfaceAttachment": interfaceView(p)}, nil
	}
	if _, ok := n.neutron.NetworkFor(in.Net, s.Project); !ok {
		return nil, front.Errorf(http.StatusNotFound, "Network %s could not be found.", in.Net)
	}
	if err := n.checkPorts(s.Project, 1); err != nil {
		return nil, err
	}
	asked := neutron.NewPort(s.Project, "", in.Net, s.ID, "compute:"+s.Zone, s.secGroups)
	asked.Host, asked.FixedIPs = s.Host, in.Fixed
	p, err := n.neutron.CreatePort(asked)
	if err != nil {
		return nil, front.Errorf(http.StatusBadRequest, "%s", text(err))
	}
	s.nics = append(s.nics, nic{network: in.Net, port: p.ID, ours: true})
	return map[string]any{"interfaceAttachment": interfaceView(p)}, nil
}

func (n *Nova) detachInterface(r *front.Request, s *Server) (any, error) {
	p, err := n.interfaceOf(r, s)
	if err != nil {
		return nil, nil //nolint:nilerr // Nova finds out later
	}
	at := slices.IndexFunc(s.nics, func(have nic) bool { return have.port == p.ID })
	if at >= 0 && s.nics[at].ours {
		n.neutron.DeletePort(p)
	} else {
		n.neutron.Unbind(p)
	}
	if at >= 0 {
		s.nics = slices.Delete(slices.Clone(s.nics), at, at+1)
	}
	return nil, nil
}

// changeGroups changes the security groups of all ports of a server.
func (n *Nova) changeGroups(r *front.Request, s *Server, action string, change func(have []string, id string) []string) (any, error) {
	var in struct{ Name string }
	if err := r.Decode(action, &in); err != nil {
		return nil, err
	}
	g, refusal := n.neutron.Group(in.Name, s.Project)
	if refusal != nil {
		return nil, refusal
	}
	for _, p := range n.neutron.PortsOf(s.ID) {
		n.neutron.SetGroups(p, change(slices.Clone(p.SecurityGroups), g.ID))
	}
	return nil, nil
}

func (n *Nova) addGroup(r *front.Request, s *Server) (any, error) {
	return n.changeGroups(r, s, "addSecurityGroup", func(have []string, id string) []string {
		if slices.Contains(have, id) {
			return have
		}
		return append(have, id)
	})
}

func (n *Nova) removeGroup(r *front.Request, s *Server) (any, error) {
	return n.changeGroups(r, s, "removeSecurityGroup", func(have []string, id string) []string {
		return slices.DeleteFunc(have, func(g string) bool { return g == id })
	})
}
