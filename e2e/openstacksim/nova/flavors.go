package nova

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Flavor is a flavor: memory in MiB, disks in GiB.
type Flavor struct {
	state.Base
	VCPUs, RAM, Disk, Ephemeral, Swap int
	Private                           bool
	ExtraSpecs                        map[string]string
}

// AddFlavor adds a flavor.
func (n *Nova) AddFlavor(f Flavor) *Flavor { return n.flavors.Insert(&f) }

// HasFlavor reports whether there is a flavor of a name.
func (n *Nova) HasFlavor(name string) bool {
	return len(n.flavors.All(func(f *Flavor) bool { return f.Name == name })) > 0
}

// RemoveFlavor deletes a flavor; servers keep it.
func (n *Nova) RemoveFlavor(id string) { n.flavors.Delete(id) }

func (n *Nova) flavorRoutes(s *front.Service) {
	s.Handle("GET", "/flavors", http.StatusOK, func(r *front.Request) (any, error) { return n.listFlavors(r, false) })
	s.Handle("GET", "/flavors/detail", http.StatusOK, func(r *front.Request) (any, error) { return n.listFlavors(r, true) })
	s.Handle("POST", "/flavors", http.StatusOK, func(*front.Request) (any, error) {
		// A test adds them with the methods of the simulator.
		return nil, front.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-flavor-manage:create to be performed.")
	})
	s.Handle("GET", "/flavors/{id}", http.StatusOK, func(r *front.Request) (any, error) {
		f, err := n.flavor(r)
		if err != nil {
			return nil, err
		}
		return map[string]any{"flavor": f.view(r)}, nil
	})
	s.Handle("GET", "/flavors/{id}/os-extra_specs", http.StatusOK, func(r *front.Request) (any, error) {
		f, err := n.flavor(r)
		if err != nil {
			return nil, err
		}
		return map[string]any{"extra_specs": f.specs()}, nil
	})
	s.Handle("GET", "/flavors/{id}/os-extra_specs/{key}", http.StatusOK, func(r *front.Request) (any, error) {
		f, err := n.flavor(r)
		if err != nil {
			return nil, err
		}
		value, ok := f.ExtraSpecs[r.PathValue("key")]
		if !ok {
			return nil, front.Errorf(http.StatusNotFound, "Flavor %s has no extra specs with key %s.", f.ID, r.PathValue("key"))
		}
		return map[string]any{r.PathValue("key"): value}, nil
	})
}

func (n *Nova) flavor(r *front.Request) (*Flavor, error) {
	f, ok := n.flavors.Get(r.PathValue("id"))
	if !ok || f.Private && !r.Caller.Admin {
		return nil, front.Errorf(http.StatusNotFound, "Flavor %s could not be found.", r.PathValue("id"))
	}
	return f, nil
}

func (n *Nova) listFlavors(r *front.Request, detail bool) (any, error) {
	q := r.URL.Query()
	ram, _ := strconv.Atoi(q.Get("minRam"))
	disk, _ := strconv.Atoi(q.Get("minDisk"))
	var views []map[string]any
	for _, f := range n.flavors.All() {
		if (!f.Private || r.Caller.Admin) && f.RAM >= ram && f.Disk >= disk {
			views = append(views, f.view(r))
		}
	}
	page, next, err := front.Page(views, q, 1000, unknownMarker)
	if err != nil {
		return nil, err
	}
	path := "flavors/detail"
	if !detail {
		path = "flavors"
		for i, v := range page {
			page[i] = map[string]any{"id": v["id"], "name": v["name"], "links": v["links"]}
		}
	}
	return paged(r, "flavors", path, page, next), nil
}

func unknownMarker(marker string) *front.Error {
	return front.Errorf(http.StatusBadRequest, "marker [%s] not found", marker)
}

// paged is a list as Nova sends it.
func paged(r *front.Request, key, path string, page []map[string]any, next string) map[string]any {
	body := map[string]any{key: append([]map[string]any{}, page...)}
	if next != "" {
		body[key+"_links"] = []any{map[string]any{"rel": "next", "href": r.Base() + "/compute/v2.1/" + path + "?" + next}}
	}
	return body
}

func (f *Flavor) specs() map[string]string {
	if f.ExtraSpecs == nil {
		return map[string]string{}
	}
	return f.ExtraSpecs
}

func (f *Flavor) view(r *front.Request) map[string]any {
	v := map[string]any{
		"id": f.ID, "name": f.Name, "vcpus": f.VCPUs, "ram": f.RAM, "disk": f.Disk, "swap": any(""), "rxtx_factor": 1.0, "links": links(r, "flavors", f.ID),
		"OS-FLV-EXT-DATA:ephemeral": f.Ephemeral, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": !f.Private,
	}
	if f.Swap > 0 || r.Minor >= 75 {
		v["swap"] = f.Swap
	}
	if r.Minor >= 55 {
		v["description"] = nil
	}
	if r.Minor >= 61 {
		v["extra_specs"] = f.specs()
	}
	return v
}

// embedded is a flavor as servers show it: its name is its only handle from 2.47 on.
func (f *Flavor) embedded(r *front.Request) map[string]any {
	if r.Minor < 47 {
		return map[string]any{"id": f.ID, "links": links(r, "flavors", f.ID)[1:]}
	}
	return map[string]any{"original_name": f.Name, "vcpus": f.VCPUs, "ram": f.RAM, "disk": f.Disk, "ephemeral": f.Ephemeral, "swap": f.Swap, "extra_specs": f.specs()}
}

// keypair is a key pair. It belongs to a user; the project is for the inventory.
type keypair struct {
	state.Base
	user, key string
}

func (n *Nova) keypairRoutes(s *front.Service) {
	own := func(r *front.Request) []*keypair {
		return n.keypairs.All(func(k *keypair) bool { return k.user == r.Caller.UserID })
	}
	find := func(r *front.Request) (*keypair, error) {
		all := own(r)
		at := slices.IndexFunc(all, func(k *keypair) bool { return k.Name == r.PathValue("name") })
		if at < 0 {
			return nil, front.Errorf(http.StatusNotFound, "Keypair %s not found for user %s", r.PathValue("name"), r.Caller.UserID)
		}
		return all[at], nil
	}
	view := func(k *keypair) map[string]any {
		return map[string]any{"name": k.Name, "public_key": k.key, "fingerprint": "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", "user_id": k.user, "type": "ssh"}
	}
	s.Handle("GET", "/os-keypairs", http.StatusOK, func(r *front.Request) (any, error) {
		views := []any{}
		for _, k := range own(r) {
			v := view(k)
			delete(v, "user_id")
			views = append(views, map[string]any{"keypair": v})
		}
		return map[string]any{"keypairs": views}, nil
	})
	s.Handle("POST", "/os-keypairs", http.StatusOK, func(r *front.Request) (any, error) {
		var in struct {
			Name      string
			PublicKey string `json:"public_key"`
		}
		if err := r.Decode("keypair", &in); err != nil {
			return nil, err
		}
		if in.PublicKey == "" {
			return nil, invalidInput("keypair", said(r, "keypair"), "'public_key' is a required property")
		}
		if !strings.Contains(in.PublicKey, " ") {
			return nil, front.Errorf(http.StatusBadRequest, "Keypair data is invalid: failed to generate fingerprint")
		}
		if slices.ContainsFunc(own(r), func(k *keypair) bool { return k.Name == in.Name }) {
			return nil, front.Errorf(http.StatusConflict, "Key pair '%s' already exists.", in.Name)
		}
		if n.Quotas.Over(r.Project(), "key_pairs", 1) {
			return nil, front.Errorf(http.StatusForbidden, "Quota exceeded, too many key pairs.")
		}
		k := n.keypairs.Insert(&keypair{Base: state.Base{Name: in.Name, Project: r.Project()}, user: r.Caller.UserID, key: in.PublicKey})
		return front.JSON(created(r, 2), map[string]any{"keypair": view(k)}), nil
	})
	s.Handle("GET", "/os-keypairs/{name}", http.StatusOK, func(r *front.Request) (any, error) {
		k, err := find(r)
		if err != nil {
			return nil, err
		}
		v := view(k)
		v["id"], v["created_at"], v["updated_at"], v["deleted"], v["deleted_at"] = 1, when(k.Created), nil, false, nil
		return map[string]any{"keypair": v}, nil
	})
	s.Handle("DELETE", "/os-keypairs/{name}", http.StatusNoContent, func(r *front.Request) (any, error) {
		k, err := find(r)
		if err == nil {
			n.keypairs.Delete(k.ID)
		}
		return nil, err
	})
}

// created is 201 from a microversion on, and 200 before.
func created(r *front.Request, minor int) int {
	if r.Minor >= minor {
		return http.StatusCreated
	}
	return http.StatusOK
}
