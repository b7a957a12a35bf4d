package nova

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// maxUserData is how long user data in base64 may be.
const maxUserData = 65535

// createRequest is the body of POST /servers.
type createRequest struct {
	Name           string
	ImageRef       string `json:"imageRef"`
	FlavorRef      string `json:"flavorRef"`
	Metadata       map[string]string
	Networks       json.RawMessage
	Zone           string                  `json:"availability_zone"`
	Devices        []device                `json:"block_device_mapping_v2"`
	ConfigDrive    any                     `json:"config_drive"`
	MinCount       any                     `json:"min_count"`
	MaxCount       any                     `json:"max_count"`
	KeyName        *string                 `json:"key_name"`
	SecurityGroups []struct{ Name string } `json:"security_groups"`
	UserData       *string                 `json:"user_data"`
	Description    *string
	Tags           []string
}

type device struct {
	BootIndex       any    `json:"boot_index"`
	UUID            string `json:"uuid"`
	SourceType      string `json:"source_type"`
	DestinationType string `json:"destination_type"`
	VolumeSize      any    `json:"volume_size"`
	VolumeType      string `json:"volume_type"`
	DeleteToo       bool   `json:"delete_on_termination"`
}

// since are keys that came with a microversion.
var since = map[string]int{"description": 19, "tags": 52, "trusted_image_certificates": 63, "host": 74, "hypervisor_hostname": 74, "hostname": 90}

var always = []string{
	"name", "imageRef", "flavorRef", "adminPass", "metadata", "networks", "OS-DCF:diskConfig", "accessIPv4", "accessIPv6", "availability_zone", "block_device_mapping",
	"block_device_mapping_v2", "config_drive", "min_count", "max_count", "return_reservation_id", "key_name", "security_groups", "user_data",
}

func (n *Nova) create(r *front.Request) (any, error) {
	keys, err := r.Keys("server")
	if err != nil {
		return nil, err
	}
	if err := checkKeys(r, keys); err != nil {
		return nil, err
	}
	if err := checkTexts(keys["metadata"]); err != nil {
		return nil, err
	}
	var in createRequest
	if err := r.Decode("server", &in); err != nil {
		return nil, err
	}
	s := &Server{
		Base: state.Base{Name: in.Name, Project: r.Project()}, User: r.Caller.UserID, Status: "BUILD", Task: "scheduling", Description: in.Description,
		Metadata: map[string]string{}, Tags: in.Tags, KeyName: in.KeyName, ConfigDrive: in.ConfigDrive == true || in.ConfigDrive == "true" || in.ConfigDrive == "True",
	}
	if r.Minor < 19 {
		s.Description = &s.Name
	}
	steps := []func(*front.Request, createRequest, *Server) error{
		n.checkPlain, n.takeUserData, n.takeFlavor, n.takeDisks, n.takeGroups, n.takeNetworks, n.takeServerGroup, n.checkQuota,
	}
	for _, step := range steps {
		if err := step(r, in, s); err != nil {
			return nil, err
		}
	}
	n.servers.Insert(s)
	n.join(s)
	n.state.After(0, func() { n.schedule(s) })
	groups := []any{map[string]any{"name": "default"}}
	if len(in.SecurityGroups) > 0 {
		groups = nil
		for _, g := range in.SecurityGroups {
			groups = append(groups, map[string]any{"name": g.Name})
		}
	}
	reply := front.JSON(http.StatusAccepted, map[string]any{"server": map[string]any{
		"id": s.ID, "links": links(r, "servers", s.ID), "OS-DCF:diskConfig": "MANUAL", "security_groups": groups, "adminPass": "simulated",
	}})
	reply.Header.Set("Location", r.Base()+"/compute/v2.1/servers/"+s.ID)
	return reply, nil
}

func checkKeys(r *front.Request, keys map[string]json.RawMessage) error {
	value := said(r, "server")
	known := map[string]bool{}
	for _, key := range always {
		known[key] = true
	}
	for key := range keys {
		from, later := since[key]
		if !known[key] && (!later || r.Minor < from) && (key != "personality" || r.Minor >= 57) {
			return invalidInput("server", value, "Additional properties are not allowed ('%s' was unexpected)", key)
		}
	}
	for _, key := range []string{"name", "flavorRef"} {
		if _, ok := keys[key]; !ok {
			return invalidInput("server", value, "'%s' is a required property", key)
		}
	}
	if _, ok := keys["networks"]; !ok && r.Minor >= 37 {
		return invalidInput("server", value, "'networks' is a required property")
	}
	return nil
}

func (n *Nova) checkPlain(r *front.Request, in createRequest, s *Server) error {
	if in.Name == "" {
		return invalidInput("name", in.Name, "'%s' is too short", in.Name)
	}
	if len(in.Name) > 255 {
		return invalidInput("name", in.Name, "'%s' is too long", in.Name)
	}
	for _, count := range []any{in.MinCount, in.MaxCount} {
		if count != nil && count != float64(1) && count != "1" {
			return invalidInput("max_count", count, "The simulator builds one server for a request.")
		}
	}
	if limit := n.Quotas.Limit(r.Project(), "metadata_items"); limit >= 0 && len(in.Metadata) > limit {
		return front.Errorf(http.StatusForbidden, "Maximum number of metadata items exceeds %d", limit)
	}
	if err := checkMetadata(in.Metadata); err != nil {
		return err
	}
	for k, v := range in.Metadata {
		s.Metadata[k] = v
	}
	if in.KeyName != nil && len(n.keypairs.All(state.In[*keypair](r.Project()), func(k *keypair) bool { return k.Name == *in.KeyName && k.user == r.Caller.UserID })) == 0 {
		return front.Errorf(http.StatusBadRequest, "Invalid key_name provided.")
	}
	if in.ImageRef != "" && !isUUID(in.ImageRef) {
		return invalidInput("imageRef", in.ImageRef, "'%s' is not valid under any of the given schemas", in.ImageRef)
	}
	if in.ImageRef == "" && len(in.Devices) == 0 {
		return front.Errorf(http.StatusBadRequest, "Missing imageRef attribute")
	}
	if in.Zone != "" && !n.hasZone(in.Zone) {
		return front.Errorf(http.StatusBadRequest, "The requested availability zone is not available")
	}
	s.Zone = in.Zone
	return checkTags(in.Tags)
}

// checkTexts checks that metadata are texts.
func checkTexts(raw json.RawMessage) error {
	var metadata map[string]any
	_ = json.Unmarshal(raw, &metadata)
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if _, ok := metadata[key].(string); !ok {
			return invalidInput(key, python(metadata[key]), "%s is not of type 'string'", python(metadata[key]))
		}
	}
	return nil
}

func checkMetadata(metadata map[string]string) error {
	for k, v := range metadata {
		if !metadataKey.MatchString(k) {
			all := map[string]any{}
			for k, v := range metadata {
				all[k] = v
			}
			return invalidInput("metadata", python(all), "'%s' does not match any of the regexes: '%s'", k, metadataKey)
		}
		if len(v) > 255 {
			return invalidInput(k, v, "'%s' is too long", v)
		}
	}
	return nil
}

func checkTags(tags []string) error {
	for i, tag := range tags {
		switch {
		case len(tag) > 60:
			return invalidInput(fmt.Sprint(i), tag, "'%s' is too long", tag)
		case tag == "" || strings.ContainsAny(tag, ",/"):
			return invalidInput(fmt.Sprint(i), tag, "'%s' does not match '^[^,/]*$'", tag)
		}
	}
	if len(tags) > 50 {
		return invalidInput("tags", len(tags), "too many tags")
	}
	return nil
}

func (n *Nova) takeUserData(_ *front.Request, in createRequest, s *Server) error {
	if in.UserData == nil {
		return nil
	}
	if len(*in.UserData) > maxUserData {
		return invalidInput("user_data", *in.UserData, "'%s' is too long", *in.UserData)
	}
	data, err := base64.StdEncoding.DecodeString(*in.UserData)
	if err != nil {
		return invalidInput("user_data", *in.UserData, "'%s' is not a 'base64'", *in.UserData)
	}
	s.userData = data
	return nil
}

func (n *Nova) takeFlavor(r *front.Request, in createRequest, s *Server) error {
	f, ok := n.flavors.Get(in.FlavorRef)
	if !ok {
		return front.Errorf(http.StatusBadRequest, "Flavor %s could not be found.", in.FlavorRef)
	}
	s.flavor = *f
	return nil
}

func (n *Nova) takeGroups(r *front.Request, in createRequest, s *Server) error {
	for _, asked := range in.SecurityGroups {
		g, refusal := n.neutron.Group(asked.Name, r.Project())
		if refusal != nil {
			if refusal.Status == http.StatusNotFound {
				refusal.Status = http.StatusBadRequest
			}
			return refusal
		}
		s.secGroups = append(s.secGroups, g.ID)
	}
	return nil
}

// takeServerGroup reads the scheduler hint, which stands beside the server in the body.
func (n *Nova) takeServerGroup(r *front.Request, _ createRequest, s *Server) error {
	var body struct {
		Hints struct{ Group string } `json:"os:scheduler_hints"`
		Old   struct{ Group string } `json:"OS-SCH-HNT:scheduler_hints"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return invalidInput("os:scheduler_hints", "{...}", "%v", err)
	}
	s.group = body.Hints.Group + body.Old.Group
	if s.group == "" {
		return nil
	}
	if !isUUID(s.group) {
		return invalidInput("group", s.group, "'%s' is not a 'uuid'", s.group)
	}
	g, ok := n.groups.Visible(s.group, r.Project(), false)
	if !ok {
		return front.Errorf(http.StatusBadRequest, "Instance group %s could not be found.", s.group)
	}
	if limit := n.Quotas.Limit(r.Project(), "server_group_members"); limit >= 0 && len(n.members(g)) >= limit {
		return front.Errorf(http.StatusForbidden, "Quota exceeded, too many servers in group")
	}
	return nil
}
