package local

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Stop ends the Host. With processes it stops them all at once; without, they live on
// and a new Host adopts them. A Host that was stopped refuses everything.
func (h *Host) Stop(ctx context.Context, withProcesses bool) error {
	if withProcesses {
		return h.StopAll(ctx, func(string, string) int { return 0 })
	}
	h.end()
	h.shut()
	return nil
}

// StopAll stops the processes of all Components, also of those that were not applied
// since the Host began, and ends the Host. Those of a lower order are stopped first,
// those of the same order together. What is on disk stays. When ctx is done first, it
// returns an error that names what still runs; that lives on.
func (h *Host) StopAll(ctx context.Context, order func(namespace, name string) int) error {
	keys := h.end()
	defer h.shut()
	stopped := make(chan struct{})
	defer close(stopped)
	h.wg.Go(func() { h.tellLeft(stopped) })
	orderOf := func(k key) int { return order(k.namespace, k.name) }
	slices.SortStableFunc(keys, func(a, b key) int { return cmp.Compare(orderOf(a), orderOf(b)) })
	for len(keys) > 0 {
		n := slices.IndexFunc(keys, func(k key) bool { return orderOf(k) != orderOf(keys[0]) })
		if n < 0 {
			n = len(keys)
		}
		if err := h.halt(ctx, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// halt stops the Components together and waits until they are.
func (h *Host) halt(ctx context.Context, keys []key) error {
	var units []*unit
	for _, k := range keys {
		h.mu.Lock()
		u := h.units[k]
		switch {
		case u != nil:
			h.mu.Unlock()
			u.leave(halt)
		case len(h.found[k]) > 0:
			u = h.beginLocked(k, func(u *unit) { u.goal = halt })
			h.mu.Unlock()
		default:
			// It was being deleted, and is gone by now.
			h.mu.Unlock()
			continue
		}
		units = append(units, u)
	}
	for _, u := range units {
		select {
		case <-u.done:
		case <-ctx.Done():
			return fmt.Errorf("local host: %s: %s: %w", u.key, u.status().Message, ctx.Err())
		}
	}
	return nil
}

// tellEvery is how often a stop tells that it goes on.
const tellEvery = 3 * time.Second

// tellLeft tells how many processes are left until all are stopped.
func (h *Host) tellLeft(stopped <-chan struct{}) {
	for {
		timer := h.clock.NewTimer(tellEvery)
		select {
		case <-timer.C():
		case <-stopped:
			timer.Stop()
			return
		}
		if left, err := scan(h.dir); err == nil {
			h.log.Info("Waiting for processes to stop", "left", len(left))
		}
	}
}

// end lets nothing more begin, and returns all Components that have processes.
func (h *Host) end() []key {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	var all []key
	for k := range h.units {
		all = append(all, k)
	}
	for k := range h.found {
		all = append(all, k)
	}
	return all
}

// shut ends all goroutines and lets the next Host in.
func (h *Host) shut() {
	h.cancel()
	h.wg.Wait()
	h.lock.release()
}
