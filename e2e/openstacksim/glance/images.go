package glance

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// The pages of Glance: so many images if no limit is given, and at most.
const (
	defaultLimit = "25"
	maxLimit     = 1000
)

func (g *Glance) list(r *front.Request) (any, error) {
	q := r.URL.Query()
	var views []map[string]any
	for _, i := range slices.Backward(g.images.All()) {
		if i.Project == r.Project() || i.Visibility == "public" || r.Caller.Admin {
			views = append(views, g.view(i))
		}
	}
	filters := maps.Clone(q)
	if tags, ok := filters["tag"]; ok {
		delete(filters, "tag")
		views = slices.DeleteFunc(views, func(v map[string]any) bool {
			have, _ := v["tags"].([]any)
			return slices.ContainsFunc(tags, func(t string) bool { return !slices.Contains(have, any(t)) })
		})
	}
	for key, values := range filters {
		if list, ok := strings.CutPrefix(values[0], "in:"); ok {
			filters[key] = strings.Split(strings.ReplaceAll(list, `"`, ""), ",")
		}
	}
	switch asked := filters.Get("visibility"); asked {
	case "all":
		filters.Del("visibility")
	case "", "public", "private", "shared", "community":
	default:
		return nil, front.Errorf(http.StatusBadRequest, "Invalid visibility value: %s", asked)
	}
	views = front.Filter(views, filters, "member_status")
	front.Sort(views, sorting(q))
	if q.Get("limit") == "" {
		q.Set("limit", defaultLimit)
	}
	page, next, err := front.Page(views, q, maxLimit, func(string) *front.Error {
		return front.Errorf(http.StatusBadRequest, "No image found with ID %s", q.Get("marker"))
	})
	if err != nil {
		return nil, err
	}
	body := map[string]any{"images": append([]map[string]any{}, page...), "schema": "/v2/schemas/images", "first": "/v2/images"}
	if next != "" {
		body["next"] = "/v2/images?" + next
	}
	return body, nil
}

// sorting takes Glance's "sort=name:asc,size:desc" for sort_key and sort_dir.
func sorting(q url.Values) url.Values {
	if q.Get("sort") == "" {
		return q
	}
	sort := url.Values{}
	for part := range strings.SplitSeq(q.Get("sort"), ",") {
		key, dir, _ := strings.Cut(part, ":")
		sort.Add("sort_key", key)
		sort.Add("sort_dir", dir)
	}
	return sort
}

// readOnly are fields that only Glance writes.
var readOnly = []string{"status", "owner", "size", "checksum", "created_at", "updated_at", "self", "file", "schema", "direct_url", "virtual_size"}

func (g *Glance) create(r *front.Request) (any, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &keys); err != nil {
		return nil, front.Errorf(http.StatusBadRequest, "Malformed JSON in request body.")
	}
	i := &Image{Base: state.Base{Project: r.Project()}, Status: "queued", Visibility: "shared"}
	for key, value := range keys {
		if err := g.set(i, r, key, value); err != nil {
			return nil, err
		}
	}
	reply := front.JSON(http.StatusCreated, g.view(g.images.Insert(i)))
	reply.Header.Set("Location", r.Base()+"/image/v2/images/"+i.ID)
	reply.Header.Set("OpenStack-image-import-methods", "glance-direct,web-download")
	return reply, nil
}

// formats are those of disks.
var formats = []string{"ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"}

// set sets one field of an image.
func (g *Glance) set(i *Image, r *front.Request, key string, value json.RawMessage) error {
	if slices.Contains(readOnly, key) {
		return front.Errorf(http.StatusForbidden, "Attribute '%s' is read-only.", key)
	}
	if key == "id" {
		if err := json.Unmarshal(value, &i.ID); err != nil {
			return front.Errorf(http.StatusBadRequest, "Invalid image id format")
		}
		if _, taken := g.images.Get(i.ID); taken {
			return front.Errorf(http.StatusConflict, "Image ID %s already exists!", i.ID)
		}
		return nil
	}
	if format := strings.Trim(string(value), `"`); key == "disk_format" && format != "null" && !slices.Contains(formats, format) {
		return front.Errorf(http.StatusBadRequest, "Provided object does not match schema 'image': '%s' is not one of [None, '%s']", format, strings.Join(formats, "', '"))
	}
	if _, ours := front.Fields(i)[key]; ours {
		one, err := json.Marshal(map[string]json.RawMessage{key: value})
		if err == nil {
			err = json.Unmarshal(one, i)
		}
		if err != nil {
			return front.Errorf(http.StatusBadRequest, "Provided object does not match schema 'image': %s", key)
		}
		if i.Visibility == "public" && !r.Caller.Admin {
			return front.Errorf(http.StatusForbidden, "You are not authorized to complete publicize_image action.")
		}
		return nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return front.Errorf(http.StatusBadRequest, "Provided object does not match schema 'image': %s is not of type 'string'", value)
	}
	if i.Properties == nil {
		i.Properties = map[string]string{}
	}
	i.Properties[key] = text
	return nil
}

func (g *Glance) get(r *front.Request) (any, error) {
	i, err := g.visible(r, false)
	if err != nil {
		return nil, err
	}
	return g.view(i), nil
}

func (g *Glance) patch(r *front.Request) (any, error) {
	i, err := g.visible(r, true)
	if err != nil {
		return nil, err
	}
	var changes []struct {
		Op, Path string
		Value    json.RawMessage
	}
	if err := json.Unmarshal(r.Body, &changes); err != nil {
		return nil, front.Errorf(http.StatusBadRequest, "Request body must be a JSON array of operation objects.")
	}
	changed := *i
	changed.Properties = maps.Clone(i.Properties)
	for _, c := range changes {
		key := strings.TrimPrefix(c.Path, "/")
		if c.Op == "remove" {
			if _, ok := changed.Properties[key]; !ok {
				return nil, front.Errorf(http.StatusConflict, "There was a conflict when trying to complete your request. Property %s does not exist.", key)
			}
			delete(changed.Properties, key)
			continue
		}
		if err := g.set(&changed, r, key, c.Value); err != nil {
			return nil, err
		}
	}
	*i = changed
	g.images.Touch(i)
	return g.view(i), nil
}

func (g *Glance) delete(r *front.Request) (any, error) {
	i, err := g.visible(r, true)
	if refused := (&front.Error{}); errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil, front.Errorf(http.StatusNotFound, "Failed to find image %s to delete", r.PathValue("id"))
	}
	if err != nil {
		return nil, err
	}
	if i.Protected {
		return nil, front.Errorf(http.StatusForbidden, "Image %s is protected and cannot be deleted.", i.ID)
	}
	g.images.Delete(i.ID)
	return nil, nil
}

func (g *Glance) upload(r *front.Request) (any, error) {
	i, err := g.visible(r, true)
	if err != nil {
		return nil, err
	}
	if i.Status != "queued" {
		return nil, front.Errorf(http.StatusConflict, "Image status transition from %s to saving is not allowed", i.Status)
	}
	if i.DiskFormat == nil || i.ContainerFormat == nil {
		return nil, front.Errorf(http.StatusBadRequest, "Properties disk_format, container_format must be set prior to saving data.")
	}
	size, sum := int64(len(r.Body)), md5.Sum(r.Body)
	checksum := hex.EncodeToString(sum[:])
	i.Data, i.Size, i.Checksum, i.Status = r.Body, &size, &checksum, "active"
	g.images.Touch(i)
	return nil, nil
}

func (g *Glance) download(r *front.Request) (any, error) {
	i, err := g.visible(r, false)
	if err != nil {
		return nil, err
	}
	if len(i.Data) == 0 {
		return front.Reply{Status: http.StatusNoContent, Header: http.Header{}}, nil
	}
	return front.Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/octet-stream"}, "Content-Length": {fmt.Sprint(len(i.Data))}}, Body: i.Data}, nil
}
