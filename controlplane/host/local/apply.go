package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// errEnded is what a Host answers that is being stopped.
var errEnded = errors.New("local host: it is being stopped")

// Reserve implements host.Host.
func (h *Host) Reserve(_ context.Context, r host.Reservation) (component.Addresses, error) {
	k := key{r.Namespace, r.Name}
	if err := h.usable(k); err != nil {
		return component.Addresses{}, err
	}
	if err := hostable(r); err != nil {
		return component.Addresses{}, err
	}
	return h.book.reserve(k, r)
}

// hostable returns what processes of one machine cannot offer.
func hostable(r host.Reservation) error {
	if t := r.Exposure.Type; t != "" && t != v1alpha1.ExposureHost {
		return reconcile.UserError("NotHostable", "exposure by %s needs a management cluster: on one machine the HostingClass says 'type: Host'", t)
	}
	if len(r.Balanced) > 1 {
		return reconcile.UserError("NotHostable", "Konnectivity needs a management cluster: on one machine the HostingClass says 'nodeAccess: Direct'")
	}
	return nil
}

// usable returns why nothing can be begun with a Component.
func (h *Host) usable(k key) error {
	if err := k.validate(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.usableLocked(k)
}

func (h *Host) usableLocked(k key) error {
	if h.ended {
		return errEnded
	}
	if u := h.units[k]; u != nil && u.leaving.Load() {
		return leavingError(k)
	}
	return nil
}

func leavingError(k key) error {
	return reconcile.Wait("Deleting", "what is left of %s is still being removed", k)
}

// Apply implements host.Host.
func (h *Host) Apply(ctx context.Context, c component.Component) error {
	k := key{c.Namespace, c.Name}
	if err := h.usable(k); err != nil {
		return err
	}
	files, err := readFiles(ctx, h.files, c.Namespace, c.Mounts)
	if err != nil {
		return err
	}
	files.resync(c.Resync)
	addresses, err := h.book.reserve(k, host.ReservationOf(c))
	if err != nil {
		return err
	}
	plan, err := h.planner.plan(c, addresses, files)
	if err != nil {
		return err
	}

	h.mu.Lock()
	u := h.units[k]
	err = h.usableLocked(k)
	if err == nil && u == nil {
		h.beginLocked(k, func(u *unit) { u.desired = plan })
	}
	h.mu.Unlock()
	if err == nil && u != nil && !u.apply(plan) {
		return leavingError(k)
	}
	return err
}

// apply gives the unit a new plan, unless it is leaving.
func (u *unit) apply(p *plan) (ok bool) {
	u.change(func() {
		if ok = u.goal == run; !ok {
			return
		}
		u.desired = p
		for ordinal, r := range u.replicas {
			if ordinal < len(p.replicas) && r.hash == p.replicas[ordinal].hash {
				r.refresh(p.replicas[ordinal])
			}
		}
	})
	return ok
}

// Status implements host.Host. A Component that was not applied since this Host began
// is Gone only if nothing of it is left from before.
func (h *Host) Status(_ context.Context, namespace, name string) (component.Status, error) {
	k := key{namespace, name}
	if err := k.validate(); err != nil {
		return component.Status{}, err
	}
	h.mu.Lock()
	u := h.units[k]
	left := len(h.found[k])
	h.mu.Unlock()
	if u != nil {
		return u.status(), nil
	}
	// What runs from before has not been adopted yet.
	return component.Status{Unknown: left, Gone: left == 0 && !h.hasDir(k)}, nil
}

func (h *Host) hasDir(k key) bool {
	_, err := os.Lstat(filepath.Join(h.dir, k.namespace, k.name))
	return err == nil
}

// Delete implements host.Host.
func (h *Host) Delete(_ context.Context, namespace, name string) (gone bool, err error) {
	k := key{namespace, name}
	if err := k.validate(); err != nil {
		return false, err
	}
	h.mu.Lock()
	u := h.units[k]
	ended, left := h.ended, len(h.found[k]) > 0 || h.hasDir(k)
	if !ended && u == nil && left {
		h.beginLocked(k, func(u *unit) { u.goal = remove })
	}
	h.mu.Unlock()
	switch {
	case ended:
		return false, errEnded
	case u != nil:
		u.leave(remove)
		return false, nil
	case left:
		return false, nil
	default:
		// It may have addresses all the same, if it was never applied.
		return true, h.book.free(k)
	}
}
