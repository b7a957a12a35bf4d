package release

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// MaxKubeletSkew is how many minor versions a kubelet may be older than its API server. Source:
// https://kubernetes.io/releases/version-skew-policy/#kubelet (three since 1.28; every release that
// Marina offers is newer).
const MaxKubeletSkew = 3

// SkewError says that a kubelet and a control plane must not run together, and what to do first.
type SkewError struct {
	ControlPlane, Kubelet Version
	// TooNew is true when the kubelet is ahead of the control plane, false when it lags too far.
	TooNew bool
}

func (e *SkewError) Error() string {
	if e.TooNew {
		return fmt.Sprintf("kubelet %s is newer than the control plane %s: upgrade the control plane first, or choose at most %s for the nodes",
			e.Kubelet, e.ControlPlane, e.ControlPlane)
	}
	if e.Kubelet.Major != e.ControlPlane.Major {
		return fmt.Sprintf("kubelet %s is of another major version than the control plane %s: choose a %d.x version for the nodes",
			e.Kubelet, e.ControlPlane, e.ControlPlane.Major)
	}
	return fmt.Sprintf("kubelet %s is more than %d minor versions older than the control plane %s: upgrade the nodes to at least %d.%d first",
		e.Kubelet, MaxKubeletSkew, e.ControlPlane, e.ControlPlane.Major, e.ControlPlane.Minor-MaxKubeletSkew)
}

// KubeletSkewOK is nil when nodes of the version kubelet may belong to a control plane of the version
// controlPlane, and a *SkewError otherwise. A kubelet is never newer, and at most MaxKubeletSkew minors
// older.
//
// Newer is meant in full, patch and build included: the policy speaks of minors, but the control plane
// always goes first in Marina, so a pool that is ahead in any number is a mistake. To judge an upgrade
// of the control plane before it starts, pass the version that it shall have.
func KubeletSkewOK(controlPlane, kubelet Version) error {
	if kubelet.Compare(controlPlane) > 0 {
		return &SkewError{ControlPlane: controlPlane, Kubelet: kubelet, TooNew: true}
	}
	if kubelet.Major != controlPlane.Major || controlPlane.Minor-kubelet.Minor > MaxKubeletSkew {
		return &SkewError{ControlPlane: controlPlane, Kubelet: kubelet}
	}
	return nil
}

// ParseKubelet reads the version that a node reports of its kubelet, for example v1.33.4 or
// v1.33.4+k3s1. Build is 0: whoever built it, it was not Marina that numbered it.
func ParseKubelet(reported string) (Version, error) {
	v, err := version.ParseGeneric(reported)
	if err != nil {
		return Version{}, fmt.Errorf("kubelet %q: %w", reported, err)
	}
	return Version{Major: int(v.Major()), Minor: int(v.Minor()), Patch: int(v.Patch())}, nil
}
