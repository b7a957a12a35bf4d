package nova

import "context"

// IDs are those of all servers.
func (n *Nova) IDs() []string {
	var ids []string
	for _, s := range n.servers.All() {
		ids = append(ids, s.ID)
	}
	return ids
}

// Resume goes on with what was under way when the cloud ended, and has the driver boot
// what is to run: it knows what still does.
func (n *Nova) Resume() {
	for _, s := range n.servers.All() {
		switch s.Task {
		case "deleting":
			n.Remove(s)
		case "scheduling":
			n.state.After(0, func() { n.schedule(s) })
		case "powering-off":
			n.powerOff(s)
		case "rebuilding":
			n.reinstall(s, false)
		case "spawning", "powering-on", "rebooting", "rebooting_hard", "resize_prep":
			// A resize is not done: which flavor was asked for is not kept.
			n.boot(s)
		default:
			n.bootAgain(s)
		}
	}
}

// bootAgain boots what runs, for its owner, all the time.
func (n *Nova) bootAgain(s *Server) {
	if n.driver == nil || s.Status != "ACTIVE" && s.Status != "VERIFY_RESIZE" {
		return
	}
	instance := n.instance(s)
	n.drive(s, func(ctx context.Context) error { return n.driver.Boot(ctx, instance) }, func(err error) {
		if err != nil && !n.gone(s) && s.Task == "" {
			n.Break(s, err.Error())
		}
	})
}
