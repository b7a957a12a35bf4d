package local

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local/disk"
)

// status is how the Component is.
func (u *unit) status() component.Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.statusLocked()
}

func (u *unit) statusLocked() component.Status {
	var s component.Status
	var messages []string
	now := u.host.clock.Now()
	// What runs from before is adopted by the first step.
	s.Unknown = len(u.found)
	if u.goal == run {
		s.Replicas = len(u.desired.replicas)
		if s.Replicas > 0 && u.desired.replicas[0].data {
			s.Data = make([]string, s.Replicas)
		}
	}
	for _, ordinal := range slices.Sorted(maps.Keys(u.replicas)) {
		r := u.replicas[ordinal]
		messages = append(messages, r.messages(now)...)
		if ordinal >= s.Replicas {
			continue
		}
		if s.Data != nil {
			s.Data[ordinal] = r.dataID
		}
		switch {
		case r.readiness() == ready:
			s.Ready++
			s.ReadyOrdinals = append(s.ReadyOrdinals, ordinal)
			if at, ok := r.serving(); ok {
				s.Serving = append(s.Serving, at)
			}
		case r.readiness() == unknown:
			s.Unknown++
		}
		if r.on && r.hash == u.desired.replicas[ordinal].hash && r.written == u.desired.files.digest {
			s.Updated++
		}
	}
	if b := u.balancer; b != nil && b.on && !b.running() {
		messages = append(messages, b.main().message())
	}
	if u.problem != "" {
		messages = append(messages, u.problem)
	}
	if u.goal != run && len(messages) == 0 {
		messages = append(messages, u.stoppingLocked())
	}
	messages = slices.DeleteFunc(messages, func(m string) bool { return m == "" })
	if len(messages) > 0 {
		if full := u.host.full(); full != "" {
			messages = append(messages, full)
		}
	}
	s.Message = strings.Join(messages, "; ")
	return s
}

// stoppingLocked tells what is still to stop.
func (u *unit) stoppingLocked() string {
	var names []string
	for _, ordinal := range slices.Sorted(maps.Keys(u.replicas)) {
		names = append(names, u.replicas[ordinal].name)
	}
	if len(names) == 0 {
		return ""
	}
	return "waiting for " + strings.Join(names, ", ") + " to stop"
}

// full tells that the disk is nearly full, which may be why something does not work;
// empty while it is not.
func (h *Host) full() string {
	space, err := disk.Of(h.dir)
	if err != nil || !space.Low() {
		return ""
	}
	return fmt.Sprintf("the disk of %s is nearly full: %s: make room, and it goes on by itself", h.dir, space.Rough())
}
