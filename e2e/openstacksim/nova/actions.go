package nova

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// action does what the only key of the body says.
func (n *Nova) action(r *front.Request) (any, error) {
	s, err := n.own(r)
	if err != nil {
		return nil, front.Errorf(http.StatusNotFound, "Instance %s has no mapping to a cell.", r.PathValue("id"))
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &body); err != nil || len(body) != 1 {
		return nil, front.Errorf(http.StatusBadRequest, "Malformed request body")
	}
	actions := map[string]func(*front.Request, *Server) (any, error){
		"reboot": n.reboot, "os-start": n.start, "os-stop": n.stop, "rebuild": n.rebuild, "resize": n.resize, "confirmResize": n.confirm, "revertResize": n.revert,
		"addSecurityGroup": n.addGroup, "removeSecurityGroup": n.removeGroup,
		"os-getConsoleOutput": n.console,
	}
	for key := range body {
		if do, ok := actions[key]; ok {
			return do(r, s)
		}
		return nil, front.Errorf(http.StatusBadRequest, "There is no such action: %s", key)
	}
	return nil, nil
}

// must refuses an action in all states but those that are given.
func must(s *Server, action string, states ...string) error {
	if s.Task != "" {
		return front.Errorf(http.StatusConflict, "Cannot '%s' instance %s while it is in task_state %s", action, s.ID, s.Task)
	}
	for _, state := range states {
		if s.Status == state {
			return nil
		}
	}
	return front.Errorf(http.StatusConflict, "Cannot '%s' instance %s while it is in vm_state %s", action, s.ID, vmStates[s.Status])
}

// later does something with the driver once an action has lasted, and then goes on if the
// server is still there and nobody deletes it.
func (n *Nova) later(s *Server, do func(context.Context) error, then func()) {
	n.state.After(n.ActionTime, func() {
		n.drive(s, do, func(err error) {
			switch {
			case n.gone(s) || s.Task == "deleting":
			case err != nil:
				n.fail(s, http.StatusInternalServerError, err.Error())
			default:
				then()
			}
		})
	})
}

func (n *Nova) reboot(r *front.Request, s *Server) (any, error) {
	var in struct{ Type string }
	if err := r.Decode("reboot", &in); err != nil {
		return nil, err
	}
	hard := slices.Contains([]string{"HARD", "Hard", "hard"}, in.Type)
	if !hard && !slices.Contains([]string{"SOFT", "Soft", "soft"}, in.Type) {
		return nil, invalidInput("type", in.Type, "'%s' is not one of %s", in.Type, oneOf("HARD", "Hard", "hard", "SOFT", "Soft", "soft"))
	}
	states, status, task := []string{"ACTIVE"}, "REBOOT", "rebooting"
	if hard {
		states, status, task = []string{"ACTIVE", "SHUTOFF", "ERROR"}, "HARD_REBOOT", "rebooting_hard"
	}
	if err := must(s, "reboot", states...); err != nil {
		return nil, err
	}
	n.touch(s, status, task)
	n.later(s, func(ctx context.Context) error { return n.driver.Reboot(ctx, s.ID, hard) }, func() { n.touch(s, "ACTIVE", "") })
	return nil, nil
}

func (n *Nova) start(_ *front.Request, s *Server) (any, error) {
	if err := must(s, "start", "SHUTOFF"); err != nil {
		return nil, err
	}
	n.touch(s, "SHUTOFF", "powering-on")
	instance := n.instance(s)
	n.later(s, func(ctx context.Context) error { return n.driver.Boot(ctx, instance) }, func() { n.touch(s, "ACTIVE", "") })
	return nil, nil
}

func (n *Nova) stop(_ *front.Request, s *Server) (any, error) {
	if err := must(s, "stop", "ACTIVE", "ERROR"); err != nil {
		return nil, err
	}
	n.touch(s, s.Status, "powering-off")
	n.powerOff(s)
	return nil, nil
}

func (n *Nova) powerOff(s *Server) {
	n.later(s, func(ctx context.Context) error { return n.driver.Stop(ctx, s.ID) }, func() { n.touch(s, "SHUTOFF", "") })
}

func (n *Nova) rebuild(r *front.Request, s *Server) (any, error) {
	keys, err := r.Keys("rebuild")
	if err != nil {
		return nil, err
	}
	var in struct {
		ImageRef string `json:"imageRef"`
		Name     string
		Metadata map[string]string
		UserData *string `json:"user_data"`
	}
	if err := r.Decode("rebuild", &in); err != nil {
		return nil, err
	}
	if _, given := keys["user_data"]; given && r.Minor < 57 {
		return nil, invalidInput("rebuild", said(r, "rebuild"), "Additional properties are not allowed ('user_data' was unexpected)")
	}
	if _, there := keys["imageRef"]; !there {
		return nil, invalidInput("rebuild", said(r, "rebuild"), "'imageRef' is a required property")
	}
	if err := must(s, "rebuild", "ACTIVE", "SHUTOFF", "ERROR"); err != nil {
		return nil, err
	}
	image, ok := n.glance.Find(in.ImageRef, r.Project())
	if !ok {
		return nil, front.Errorf(http.StatusBadRequest, "Cannot find image for rebuild")
	}
	if root := n.rootImage(s); s.ImageID == "" && r.Minor < 93 && (root == nil || root.ID != image.ID) {
		return nil, front.Errorf(http.StatusBadRequest, "Image %s is unacceptable: Unable to rebuild with a different image for a volume-backed server.", image.ID)
	}
	if err := fits(image, s.flavor, s.ImageID == ""); err != nil {
		return nil, err
	}
	if in.UserData != nil {
		if err := n.takeUserData(r, createRequest{UserData: in.UserData}, s); err != nil {
			return nil, err
		}
	} else if _, said := keys["user_data"]; said {
		s.userData = nil
	}
	if in.Name != "" {
		s.Name = in.Name
	}
	if in.Metadata != nil {
		s.Metadata = in.Metadata
	}
	s.Fault = nil
	if v, ok := n.rootVolume(s); ok {
		v.Image = image
	} else {
		s.image, s.ImageID = image, image.ID
	}
	off := s.Status == "SHUTOFF"
	n.touch(s, "REBUILD", "rebuilding")
	n.reinstall(s, off)
	view := brief(n.view(r, s))
	view["adminPass"] = "simulated"
	if r.Minor >= 57 {
		view["user_data"] = nullable(base64.StdEncoding.EncodeToString(s.userData))
	}
	reply := front.JSON(http.StatusAccepted, map[string]any{"server": view})
	reply.Header.Set("Location", r.Base()+"/compute/v2.1/servers/"+s.ID)
	return reply, nil
}

// reinstall boots a server with a new disk. One that was off is so again afterwards.
func (n *Nova) reinstall(s *Server, off bool) {
	n.state.After(n.BuildTime, func() {
		n.drive(s, func(ctx context.Context) error { return n.driver.Destroy(ctx, s.ID) }, func(error) {
			if !off {
				n.boot(s)
				return
			}
			instance := n.instance(s)
			n.later(s, func(ctx context.Context) error { return n.driver.Boot(ctx, instance) }, func() {
				n.touch(s, "ACTIVE", "powering-off")
				n.powerOff(s)
			})
		})
	})
}

func (n *Nova) resize(r *front.Request, s *Server) (any, error) {
	var in struct {
		FlavorRef string `json:"flavorRef"`
	}
	if err := r.Decode("resize", &in); err != nil {
		return nil, err
	}
	f, ok := n.flavors.Get(in.FlavorRef)
	if !ok {
		return nil, front.Errorf(http.StatusBadRequest, "Flavor %s could not be found.", in.FlavorRef)
	}
	if err := must(s, "resize", "ACTIVE", "SHUTOFF"); err != nil {
		return nil, err
	}
	if f.ID == s.flavor.ID {
		return nil, front.Errorf(http.StatusBadRequest, "When resizing, instances must change flavor!")
	}
	if err := n.overQuota(s.Project, map[string]int{"cores": f.VCPUs - s.flavor.VCPUs, "ram": f.RAM - s.flavor.RAM}); err != nil {
		return nil, err
	}
	n.touch(s, "RESIZE", "resize_prep")
	n.later(s, func(ctx context.Context) error { return n.driver.Reboot(ctx, s.ID, true) }, func() {
		old := s.flavor
		s.oldFlavor, s.flavor = &old, *f
		n.touch(s, "VERIFY_RESIZE", "")
	})
	return nil, nil
}

func (n *Nova) confirm(_ *front.Request, s *Server) (any, error) {
	if err := must(s, "confirmResize", "VERIFY_RESIZE"); err != nil {
		return nil, err
	}
	s.oldFlavor = nil
	n.touch(s, "ACTIVE", "")
	return front.Reply{Status: http.StatusNoContent, Header: http.Header{}}, nil
}

func (n *Nova) revert(_ *front.Request, s *Server) (any, error) {
	if err := must(s, "revertResize", "VERIFY_RESIZE"); err != nil {
		return nil, err
	}
	s.flavor, s.oldFlavor = *s.oldFlavor, nil
	n.touch(s, "ACTIVE", "")
	return nil, nil
}
