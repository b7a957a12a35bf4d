package nodepool

import (
	"slices"

	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// checkVersion checks a version that is asked for by name, as soon as it is known what the
// control plane runs. Without one, nodes follow that.
func (s *scope) checkVersion() error {
	if s.pool.Spec.Version == "" || s.cluster.Status.Version == "" {
		return nil
	}
	wanted, err := release.Parse(s.pool.Spec.Version)
	if err != nil {
		return reconcile.UserError("InvalidVersion", "version: %v", err)
	}
	controlPlane, err := release.Parse(s.cluster.Status.Version)
	if err != nil {
		return err
	}
	if err := release.KubeletSkewOK(controlPlane, wanted); err != nil {
		return reconcile.UserError("VersionSkew", "version: %v", err)
	}
	if oldest, ok := s.oldest(); ok && wanted.Compare(oldest) < 0 {
		return reconcile.UserError("VersionOlder", "version: all nodes of the pool run %s or newer, and nodes do not go back: ask for that, or create another pool with version %s", oldest, wanted)
	}
	return nil
}

// oldest is the oldest version that a node of the pool runs. While it is there, to go back to
// it is to end a change half-way.
func (s *scope) oldest() (release.Version, bool) {
	var versions []release.Version
	for _, m := range s.machines {
		if v, err := release.Parse(releaseOf(m)); err == nil && m.DeletionTimestamp == nil {
			versions = append(versions, v)
		}
	}
	if len(versions) == 0 {
		return release.Version{}, false
	}
	return slices.MinFunc(versions, release.Compare), true
}
