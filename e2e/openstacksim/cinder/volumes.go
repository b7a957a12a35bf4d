package cinder

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// maxMicroversion is the newest one: that of Zed.
const maxMicroversion = 70

func (c *Cinder) routes(s *front.Service) {
	versions := func(r *front.Request) (any, error) { return map[string]any{"versions": []any{version(r)}}, nil }
	s.Open("GET", "/volume", "/", http.StatusMultipleChoices, versions)
	s.Open("GET", "/volume/v3", "/", http.StatusOK, versions)
	s.Handle("GET", "/volumes", http.StatusOK, func(r *front.Request) (any, error) { return c.list(r, false) })
	s.Handle("GET", "/volumes/detail", http.StatusOK, func(r *front.Request) (any, error) { return c.list(r, true) })
	s.Handle("POST", "/volumes", http.StatusAccepted, c.create)
	s.Handle("GET", "/volumes/{id}", http.StatusOK, c.get)
	s.Handle("PUT", "/volumes/{id}", http.StatusOK, c.update)
	s.Handle("DELETE", "/volumes/{id}", http.StatusAccepted, c.delete)
	s.Handle("POST", "/volumes/{id}/action", http.StatusAccepted, c.extend)
	s.Handle("GET", "/volumes/{id}/metadata", http.StatusOK, func(r *front.Request) (any, error) {
		v, err := c.own(r)
		if err != nil {
			return nil, err
		}
		return map[string]any{"metadata": v.Metadata}, nil
	})
	s.Handle("POST", "/volumes/{id}/metadata", http.StatusOK, func(r *front.Request) (any, error) { return c.metadata(r, true) })
	s.Handle("PUT", "/volumes/{id}/metadata", http.StatusOK, func(r *front.Request) (any, error) { return c.metadata(r, false) })
	s.Handle("GET", "/types", http.StatusOK, c.listTypes)
	s.Handle("GET", "/types/{id}", http.StatusOK, c.getType)
	s.Handle("GET", "/limits", http.StatusOK, c.limits)
	s.Handle("GET", "/os-quota-sets/{id}", http.StatusOK, c.getQuotas)
	s.Handle("PUT", "/os-quota-sets/{id}", http.StatusOK, c.setQuotas)
	s.Handle("GET", "/os-availability-zone", http.StatusOK, func(*front.Request) (any, error) {
		zones := []any{}
		for _, z := range c.Zones {
			zones = append(zones, map[string]any{"zoneName": z, "zoneState": map[string]any{"available": true}})
		}
		return map[string]any{"availabilityZoneInfo": zones}, nil
	})
}

func version(r *front.Request) map[string]any {
	return map[string]any{
		"id": "v3.0", "status": "CURRENT", "version": fmt.Sprintf("3.%d", maxMicroversion), "min_version": "3.0", "updated": "2022-08-31T00:00:00Z",
		"links": []any{map[string]any{"rel": "self", "href": r.Base() + "/volume/v3/"}},
	}
}

// before checks the microversion, and that the project in the path is the caller's.
func before(r *front.Request) error {
	if asked, ok := strings.CutPrefix(r.Header.Get("OpenStack-API-Version"), "volume "); ok {
		if asked == "latest" {
			r.Minor = maxMicroversion
		} else if _, err := fmt.Sscanf(asked, "3.%d", &r.Minor); err != nil || r.Minor > maxMicroversion {
			return front.Errorf(http.StatusNotAcceptable, "Version %s is not supported by the API. Minimum is 3.0 and maximum is 3.%d.", asked, maxMicroversion)
		}
	}
	if p := r.PathValue("project"); p != "" && p != r.Project() {
		return front.Errorf(http.StatusBadRequest, "Malformed request url")
	}
	return nil
}

func header(r *front.Request, h http.Header) {
	h.Set("OpenStack-API-Version", fmt.Sprintf("volume 3.%d", r.Minor))
	h.Set("Vary", "OpenStack-API-Version")
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func (c *Cinder) own(r *front.Request) (*Volume, error) {
	v, ok := c.volumes.Visible(r.PathValue("id"), r.Project(), r.Caller.Admin)
	if !ok {
		return nil, front.Errorf(http.StatusNotFound, "Volume %s could not be found.", r.PathValue("id"))
	}
	return v, nil
}

func view(r *front.Request, v *Volume) map[string]any {
	f := front.Fields(v)
	f["links"] = links(r, v)
	attachments := []any{}
	for _, a := range v.Attachments {
		attachments = append(attachments, map[string]any{"id": v.ID, "attachment_id": a.ID, "volume_id": v.ID, "server_id": a.Server, "device": a.Device, "host_name": nil, "attached_at": a.At.Format(timeFormat)})
	}
	f["id"], f["attachments"], f["user_id"], f["os-vol-tenant-attr:tenant_id"] = v.ID, attachments, v.User, v.Project
	f["bootable"], f["created_at"], f["updated_at"] = fmt.Sprint(v.Bootable), v.Created.Format(timeFormat), v.Updated.Format(timeFormat)
	f["encrypted"], f["multiattach"], f["snapshot_id"], f["source_volid"], f["consistencygroup_id"], f["replication_status"] = false, false, nil, nil, nil, nil
	if v.Image != nil {
		f["volume_image_metadata"] = map[string]any{"image_id": v.Image.ID, "image_name": v.Image.Name, "min_disk": fmt.Sprint(v.Image.MinDisk)}
	}
	return f
}

// filters are those that Cinder knows for users.
var filters = []string{"name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size"}

// links are where a volume is.
func links(r *front.Request, v *Volume) []any {
	return []any{
		map[string]any{"rel": "self", "href": r.Base() + "/volume/v3/" + r.Project() + "/volumes/" + v.ID},
		map[string]any{"rel": "bookmark", "href": r.Base() + "/volume/" + r.Project() + "/volumes/" + v.ID},
	}
}

func (c *Cinder) list(r *front.Request, detail bool) (any, error) {
	q := r.URL.Query()
	all := r.Caller.Admin && r.Flag("all_tenants")
	var views []map[string]any
	for _, v := range slices.Backward(c.volumes.All()) {
		if all || v.Project == r.Project() {
			views = append(views, view(r, v))
		}
	}
	if m := q.Get("metadata"); m != "" {
		q.Del("metadata")
		key, value, ok := parseDict(m)
		views = slices.DeleteFunc(views, func(v map[string]any) bool {
			have, _ := v["metadata"].(map[string]any)
			return !ok || have[key] != value
		})
	}
	for key := range q {
		if !slices.Contains(filters, key) && !front.Paging(key) {
			q.Del(key) // as Cinder ignores it
		}
	}
	views = front.Filter(views, q)
	front.Sort(views, q)
	page, next, err := front.Page(views, q, 1000, func(m string) *front.Error {
		return front.Errorf(http.StatusNotFound, "Volume %s could not be found.", m)
	})
	if err != nil {
		return nil, err
	}
	out := []any{}
	path := "volumes"
	for _, v := range page {
		if detail {
			path = "volumes/detail"
			out = append(out, v)
		} else {
			out = append(out, map[string]any{"id": v["id"], "name": v["name"], "links": v["links"]})
		}
	}
	body := map[string]any{"volumes": out}
	if next != "" {
		body["volumes_links"] = []any{map[string]any{"rel": "next", "href": r.Base() + "/volume/v3/" + r.Project() + "/" + path + "?" + next}}
	}
	return body, nil
}

// parseDict reads the one pair of a dictionary as Python and JSON write it.
func parseDict(text string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(strings.Trim(text, "{} "), ":")
	return strings.Trim(key, `'" `), strings.Trim(value, `'" `), ok
}

func (c *Cinder) create(r *front.Request) (any, error) {
	var in struct {
		Name, Description string
		Size              *int
		ImageRef          string `json:"imageRef"`
		VolumeType        string `json:"volume_type"`
		AvailabilityZone  string `json:"availability_zone"`
		Metadata          map[string]string
	}
	if err := r.Decode("volume", &in); err != nil {
		return nil, err
	}
	if in.Size == nil {
		return nil, front.Errorf(http.StatusBadRequest, "The server could not comply with the request since it is either malformed or otherwise incorrect.")
	}
	if *in.Size < 1 {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid input for field/attribute size. Value: %d. %d is less than the minimum of 1", *in.Size, *in.Size)
	}
	v := &Volume{
		Base: state.Base{Name: in.Name, Project: r.Project()}, Description: in.Description, Size: *in.Size, VolumeType: in.VolumeType,
		AvailabilityZone: in.AvailabilityZone, Metadata: maps.Clone(in.Metadata), User: r.Caller.UserID,
	}
	if in.ImageRef != "" {
		image, ok := c.glance.Find(in.ImageRef, r.Project())
		if !ok {
			return nil, front.Errorf(http.StatusBadRequest, "Invalid image identifier or unable to access requested image.")
		}
		v.Image = image
	}
	v, err := c.Create(v)
	if err != nil {
		return nil, err
	}
	made := view(r, v)
	delete(made, "os-vol-tenant-attr:tenant_id")
	return map[string]any{"volume": made}, nil
}

// extend makes a volume larger, the only action that there is.
func (c *Cinder) extend(r *front.Request) (any, error) {
	v, err := c.own(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Size int `json:"new_size"`
	}
	if err := r.Decode("os-extend", &in); err != nil {
		return nil, front.Errorf(http.StatusBadRequest, "There is no such action: the simulator knows only os-extend")
	}
	if v.Status != "available" {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid volume: Volume %s status must be '{'status': 'available'}' to extend, currently %s.", v.ID, v.Status)
	}
	if in.Size <= v.Size {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid input received: New size for extend must be greater than current size. (current: %d, extended: %d).", v.Size, in.Size)
	}
	if c.Quotas.Over(v.Project, "gigabytes", in.Size-v.Size) {
		return nil, c.overGigabytes(v.Project, in.Size-v.Size)
	}
	v.Size = in.Size
	c.volumes.Touch(v)
	return nil, nil
}

func (c *Cinder) get(r *front.Request) (any, error) {
	v, err := c.own(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"volume": view(r, v)}, nil
}

func (c *Cinder) update(r *front.Request) (any, error) {
	v, err := c.own(r)
	if err != nil {
		return nil, err
	}
	in := struct {
		Name, Description *string
		Metadata          map[string]string
	}{&v.Name, &v.Description, nil}
	if err := r.Decode("volume", &in); err != nil {
		return nil, err
	}
	if in.Metadata != nil {
		v.Metadata = in.Metadata
	}
	c.volumes.Touch(v)
	return map[string]any{"volume": view(r, v)}, nil
}

func (c *Cinder) delete(r *front.Request) (any, error) {
	v, err := c.own(r)
	if err != nil {
		return nil, err
	}
	if v.Status != "available" && v.Status != "error" {
		return nil, front.Errorf(http.StatusBadRequest, "Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.")
	}
	c.remove(v)
	return nil, nil
}

func (c *Cinder) metadata(r *front.Request, merge bool) (any, error) {
	v, err := c.own(r)
	if err != nil {
		return nil, err
	}
	in := map[string]string{}
	if err := r.Decode("metadata", &in); err != nil {
		return nil, err
	}
	if merge {
		kept := maps.Clone(v.Metadata)
		maps.Copy(kept, in)
		in = kept
	}
	v.Metadata = in
	c.volumes.Touch(v)
	return map[string]any{"metadata": v.Metadata}, nil
}
