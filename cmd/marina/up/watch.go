package up

import (
	"errors"
	"fmt"
	"time"
)

// watch reports the end of what is never to end by itself.
func (r *Running) watch() {
	var controllers <-chan error
	if r.managers != nil {
		controllers = r.managers.done
	}
	etcd := r.management.etcd
	var err error
	select {
	case <-r.background.Done():
		return
	case err = <-etcd.broken:
		err = fmt.Errorf("the management etcd has failed: %w", err)
	case err = <-etcd.Err():
		err = fmt.Errorf("the management etcd has failed: %w", err)
	case <-etcd.Server.StopNotify():
		err = errors.New("the management etcd has stopped")
	case err = <-controllers:
		err = fmt.Errorf("the controllers have stopped: %w", err)
	}
	if r.background.Err() == nil {
		r.failed <- err
	}
}

// renewEvery is how often certificates are looked at. They are renewed months before
// they expire; but a machine that was suspended, or whose clock was set, may find that
// one has expired meanwhile.
const renewEvery = time.Hour

// renew keeps a Marina that runs for years from ending with its certificates.
func (r *Running) renew() {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-r.background.Done():
			return
		case now := <-ticker.C:
			if err := r.management.renew(r.background, now); err != nil {
				r.options.Log.Error("renewing the certificates of the management plane", "error", err)
			}
		}
	}
}
