// Package glance is the simulator's image service, version 2.
package glance

import (
	"html"
	"net/http"
	"slices"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Image is an image. Its Project owns it.
type Image struct {
	state.Base
	Status          string   `json:"status"`
	Visibility      string   `json:"visibility"`
	MinDisk         int      `json:"min_disk"`
	MinRAM          int      `json:"min_ram"`
	DiskFormat      *string  `json:"disk_format"`
	ContainerFormat *string  `json:"container_format"`
	Protected       bool     `json:"protected"`
	Hidden          bool     `json:"os_hidden"`
	Tags            []string `json:"tags"`
	Size            *int64   `json:"size"`
	Checksum        *string  `json:"checksum"`
	// Properties are all others.
	Properties map[string]string `json:"-"`
	// Data is what was uploaded.
	Data []byte `json:"-"`
}

// Glance holds the images. Besides its handlers, its methods are called under the lock of
// the state.
type Glance struct {
	state  *state.State
	images *state.Table[*Image]
}

// New adds the service to a front.
func New(s *state.State, f *front.Front) *Glance {
	g := &Glance{state: s, images: state.NewTable[*Image](s, "image")}
	service := f.Add(&front.Service{Name: "image", Prefix: "/image/v2", Error: render, Denied: denied})
	service.Open("GET", "/image", "/", http.StatusMultipleChoices, versions)
	service.Open("GET", "/image", "/versions", http.StatusOK, versions)
	service.Handle("GET", "/images", http.StatusOK, g.list)
	service.Handle("POST", "/images", http.StatusCreated, g.create)
	service.Handle("GET", "/images/{id}", http.StatusOK, g.get)
	service.Handle("PATCH", "/images/{id}", http.StatusOK, g.patch)
	service.Handle("DELETE", "/images/{id}", http.StatusNoContent, g.delete)
	service.Handle("PUT", "/images/{id}/file", http.StatusNoContent, g.upload)
	service.Handle("GET", "/images/{id}/file", http.StatusOK, g.download)
	service.Handle("PUT", "/images/{id}/tags/{tag}", http.StatusNoContent, g.tag)
	service.Handle("DELETE", "/images/{id}/tags/{tag}", http.StatusNoContent, g.untag)
	return g
}

// Add adds an image that is active and public, unless it says otherwise.
func (g *Glance) Add(image Image) *Image {
	if image.Status == "" {
		image.Status = "active"
	}
	if image.Visibility == "" {
		image.Visibility = "public"
	}
	if image.Size == nil {
		image.Size = new(int64)
	}
	if image.DiskFormat == nil {
		qcow2, bare := "qcow2", "bare"
		image.DiskFormat, image.ContainerFormat = &qcow2, &bare
	}
	return g.images.Insert(&image)
}

// HasImage reports whether there is an image of a name.
func (g *Glance) HasImage(name string) bool {
	return len(g.images.All(func(i *Image) bool { return i.Name == name })) > 0
}

// Remove deletes an image, whoever owns it.
func (g *Glance) Remove(id string) { g.images.Delete(id) }

// Find is an image that a project may use.
func (g *Glance) Find(id, project string) (*Image, bool) {
	i, ok := g.images.Get(id)
	return i, ok && (i.Project == project || i.Visibility == "public" || i.Visibility == "community")
}

func versions(r *front.Request) (any, error) {
	var all []any
	for i, id := range []string{"v2.15", "v2.9", "v2.7", "v2.0"} {
		status := "SUPPORTED"
		if i == 0 {
			status = "CURRENT"
		}
		all = append(all, map[string]any{"id": id, "status": status, "links": []any{map[string]any{"rel": "self", "href": r.Base() + "/image/v2/"}}})
	}
	return map[string]any{"versions": all}, nil
}

// render is an error as webob writes it for who takes JSON; others get HTML.
func render(e *front.Error) front.Reply {
	return front.Plain(e.Status, html.EscapeString(e.Message)+"<br /><br />\n\n\n")
}

// denied is what Glance answers to a token that is none.
func denied() front.Reply {
	return front.Plain(http.StatusUnauthorized, "This server could not verify that you are authorized to access the document you requested. Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.<br /><br />\n\n\n")
}

func (g *Glance) view(i *Image) map[string]any {
	v := front.Fields(i)
	for key, value := range i.Properties {
		v[key] = value
	}
	v["id"], v["owner"] = i.ID, i.Project
	v["created_at"], v["updated_at"] = i.Created.Format(time.RFC3339), i.Updated.Format(time.RFC3339)
	v["virtual_size"], v["os_hash_algo"], v["os_hash_value"] = nil, nil, nil
	v["self"], v["file"], v["schema"] = "/v2/images/"+i.ID, "/v2/images/"+i.ID+"/file", "/v2/schemas/image"
	if i.Tags == nil {
		v["tags"] = []any{}
	}
	return v
}

// visible finds an image that the caller may see, or one to change.
func (g *Glance) visible(r *front.Request, change bool) (*Image, error) {
	id := r.PathValue("id")
	i, ok := g.Find(id, r.Project())
	if !ok && !r.Caller.Admin || i == nil {
		return nil, front.Errorf(http.StatusNotFound, "No image found with ID %s", id)
	}
	if change && i.Project != r.Project() && !r.Caller.Admin {
		return nil, front.Errorf(http.StatusForbidden, "You are not permitted to modify this image.")
	}
	return i, nil
}

func (g *Glance) tag(r *front.Request) (any, error) {
	i, err := g.visible(r, true)
	if err == nil && !slices.Contains(i.Tags, r.PathValue("tag")) {
		i.Tags = append(i.Tags, r.PathValue("tag"))
	}
	return nil, err
}

func (g *Glance) untag(r *front.Request) (any, error) {
	i, err := g.visible(r, true)
	if err == nil && !slices.Contains(i.Tags, r.PathValue("tag")) {
		return nil, front.Errorf(http.StatusNotFound, "The resource could not be found.")
	}
	if err == nil {
		i.Tags = slices.DeleteFunc(i.Tags, func(t string) bool { return t == r.PathValue("tag") })
	}
	return nil, err
}
