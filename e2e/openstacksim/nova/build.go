package nova

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/cinder"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/neutron"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// BuildFault makes builds end in ERROR.
type BuildFault struct {
	// Project and Name choose servers; empty is any. Name is the start of theirs.
	Project, Name string
	// Times is how many builds fail; 0 is all.
	Times int
	// Code and Message are the fault; none is 500 and what Nova says when no host is found.
	Code    int
	Message string

	hits int
}

// NoValidHost is what Nova says when there is no room.
const NoValidHost = "No valid host was found. There are not enough hosts available."

// FailBuilds adds a fault of builds.
func (n *Nova) FailBuilds(f BuildFault) { n.faults = append(n.faults, &f) }

// HealBuilds takes all faults of builds away.
func (n *Nova) HealBuilds() { n.faults = nil }

// maxDeleted is how many deleted servers "changes-since" still shows.
const maxDeleted = 1000

// gone reports whether a server is not there any more.
func (n *Nova) gone(s *Server) bool { have, ok := n.servers.Get(s.ID); return !ok || have != s }

func (n *Nova) touch(s *Server, status, task string) {
	s.Status, s.Task = status, task
	n.servers.Touch(s)
}

// fail puts a server into ERROR.
func (n *Nova) fail(s *Server, code int, message string) {
	s.Fault = &Fault{Code: code, Message: message, Details: message, Created: n.state.Now()}
	n.touch(s, "ERROR", "")
}

// schedule finds a host and begins to build.
func (n *Nova) schedule(s *Server) {
	if n.gone(s) {
		return
	}
	host, zone, ok := n.place(s)
	if !ok {
		n.fail(s, http.StatusInternalServerError, NoValidHost)
		return
	}
	s.Host, s.Zone = host, zone
	err := n.allocate(s)
	if err == nil {
		err = n.attachDisks(s)
	}
	if err != nil {
		n.release(s)
		n.fail(s, http.StatusInternalServerError, fmt.Sprintf("Build of instance %s aborted: %s", s.ID, text(err)))
		return
	}
	n.touch(s, "BUILD", "spawning")
	n.state.After(n.BuildTime, func() { n.spawn(s) })
}

func text(err error) string {
	var e *front.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// spawn ends a build.
func (n *Nova) spawn(s *Server) {
	if n.gone(s) || s.Task != "spawning" {
		return
	}
	for _, f := range n.faults {
		if (f.Project == "" || f.Project == s.Project) && strings.HasPrefix(s.Name, f.Name) && (f.Times == 0 || f.hits < f.Times) {
			f.hits++
			n.release(s)
			s.Host = ""
			n.fail(s, cmp.Or(f.Code, http.StatusInternalServerError), cmp.Or(f.Message, NoValidHost))
			return
		}
	}
	n.boot(s)
}

// boot has the driver boot a server, which is active then.
func (n *Nova) boot(s *Server) {
	instance := n.instance(s)
	n.drive(s, func(ctx context.Context) error { return n.driver.Boot(ctx, instance) }, func(err error) {
		if n.gone(s) || s.Task == "deleting" {
			return
		}
		if err != nil {
			n.fail(s, http.StatusInternalServerError, err.Error())
			return
		}
		s.launched = n.state.Now()
		n.touch(s, "ACTIVE", "")
	})
}

// allocate makes or binds a server's ports.
func (n *Nova) allocate(s *Server) error {
	for _, w := range s.wanted {
		if !w.ours {
			p, ok := n.neutron.Port(w.port, s.Project)
			if !ok {
				return fmt.Errorf("Port id %s could not be found.", w.port) //nolint:staticcheck // Nova's words
			}
			if p.DeviceID != "" {
				return fmt.Errorf("Port %s is still in use.", w.port) //nolint:staticcheck // Nova's words
			}
			n.neutron.Bind(p, s.ID, "compute:"+s.Zone, s.Host)
		} else {
			if n.neutron.IsExternal(w.network) {
				return errors.New("Failed to allocate the network(s), not rescheduling.") //nolint:staticcheck // Nova's words
			}
			asked := neutron.NewPort(s.Project, "", w.network, s.ID, "compute:"+s.Zone, s.secGroups)
			asked.Host = s.Host
			if w.address != "" {
				asked.FixedIPs = []neutron.FixedIP{{IPAddress: w.address}}
			}
			p, err := n.neutron.CreatePort(asked)
			if refused := (&front.Error{}); errors.As(err, &refused) && refused.Type == "InvalidIpForNetwork" {
				return fmt.Errorf("Invalid input received: Fixed IP %s is not a valid ip address for network %s.", w.address, w.network) //nolint:staticcheck // Nova's words
			}
			if err != nil {
				return err
			}
			w.port = p.ID
		}
		s.nics = append(s.nics, w)
	}
	return nil
}

// attachDisks makes and attaches a server's volumes.
func (n *Nova) attachDisks(s *Server) error {
	for i, d := range s.disks {
		v, ok := n.cinder.Find(d.volume, s.Project)
		if !ok {
			var err error
			v, err = n.cinder.Create(&cinder.Volume{
				Base: state.Base{Project: s.Project}, Size: d.size, VolumeType: d.volumeType, Image: d.image, User: s.User,
			})
			if err != nil {
				return err
			}
		}
		n.attach(s, v, attached{volume: v.ID, device: deviceName(i), deleteToo: d.deleteToo, root: d.root})
	}
	return nil
}

func deviceName(i int) string { return "/dev/vd" + string(rune('a'+i)) }

func (n *Nova) attach(s *Server, v *cinder.Volume, a attached) {
	s.volumes = append(s.volumes, a)
	n.cinder.Attach(v, s.ID, a.device)
}

// release gives back a server's ports and volumes.
func (n *Nova) release(s *Server) {
	for _, p := range n.neutron.PortsOf(s.ID) {
		if slices.ContainsFunc(s.nics, func(have nic) bool { return have.port == p.ID && have.ours }) {
			n.neutron.DeletePort(p)
		} else {
			n.neutron.Unbind(p)
		}
	}
	for _, a := range s.volumes {
		if v, ok := n.cinder.Find(a.volume, s.Project); ok {
			n.cinder.Detach(v, s.ID, a.deleteToo)
		}
	}
	s.nics, s.volumes = nil, nil
}

// delete begins to delete a server.
func (n *Nova) delete(r *front.Request) (any, error) {
	s, err := n.own(r)
	if err != nil {
		return nil, err
	}
	if s.Task != "deleting" {
		n.Remove(s)
	}
	return nil, nil
}

// Remove deletes a server.
func (n *Nova) Remove(s *Server) {
	n.touch(s, s.Status, "deleting")
	n.state.After(n.DeleteTime, func() {
		n.drive(s, func(ctx context.Context) error { return n.driver.Destroy(ctx, s.ID) }, func(error) {
			n.release(s)
			n.leave(s)
			n.touch(s, "DELETED", "")
			s.ended, s.userData = n.state.Now(), nil
			n.servers.Delete(s.ID)
			n.deleted = append(n.deleted, s)
			if len(n.deleted) > maxDeleted {
				n.deleted = n.deleted[1:]
			}
		})
	})
}

// Server finds a server by its id or name.
func (n *Nova) Server(idOrName string) (*Server, bool) {
	all := n.servers.All(func(s *Server) bool { return s.ID == idOrName || s.Name == idOrName })
	if len(all) == 0 {
		return nil, false
	}
	return all[0], true
}

// Break puts a server that is there into ERROR, as when its host is lost.
func (n *Nova) Break(s *Server, message string) { n.fail(s, http.StatusInternalServerError, message) }
