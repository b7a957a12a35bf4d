package etcd

import (
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/marina-dev/marina/pkg/reconcile"
)

// checkUpgrade refuses a version that the members could not go to from the one
// that they run. etcd goes up one minor version at a time and does not go back:
// its data would no longer be read, by any of the three.
func checkUpgrade(running []Member, wanted string) error {
	want, err := version.ParseSemantic(wanted)
	if err != nil {
		return reconcile.UserError("InvalidVersion", "spec.version %q is no version: %v", wanted, err)
	}
	for _, member := range running {
		have, err := version.ParseSemantic(member.Version)
		if err != nil {
			// It does not answer. The others run the same version or the one before.
			continue
		}
		switch {
		case want.Major() != have.Major() || want.Minor() > have.Minor()+1:
			return reconcile.UserError("VersionSkipped",
				"the members run etcd %s and go up one minor version at a time: set spec.version to a %d.%d first", have, have.Major(), have.Minor()+1)
		case want.Minor() < have.Minor():
			return reconcile.UserError("VersionTooOld",
				"the members run etcd %s and cannot go back to %s: set spec.version to a %d.%d", have, want, have.Major(), have.Minor())
		}
	}
	return nil
}
