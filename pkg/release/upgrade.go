package release

import (
	"fmt"
	"slices"
)

// UpgradeProblem says why an upgrade is refused.
type UpgradeProblem string

const (
	// NothingToDo says that the version asked for is the one that runs.
	NothingToDo UpgradeProblem = "NothingToDo"
	// Downgrade says that the version asked for is older, be it only by its build.
	Downgrade UpgradeProblem = "Downgrade"
	// SkipsMinor says that the version asked for is more than one minor ahead.
	SkipsMinor UpgradeProblem = "SkipsMinor"
	// OtherMajor stands for a change of major: no rule says what is safe between majors, so nothing is.
	OtherMajor UpgradeProblem = "OtherMajor"
	// Committed says that an upgrade to From is past the point up to which one can go back.
	Committed UpgradeProblem = "Committed"
)

// UpgradeError refuses an upgrade and says what to do instead. It is the user's to fix.
type UpgradeError struct {
	Problem  UpgradeProblem
	From, To Version
	// Offered are the versions that may be chosen instead, oldest first. It is empty when the caller
	// of CanUpgrade gave none or none fits.
	Offered []Version
}

func (e *UpgradeError) Error() string {
	switch e.Problem {
	case NothingToDo:
		return fmt.Sprintf("already at %s: nothing to do", e.To)
	case Downgrade:
		return fmt.Sprintf("%s is older than %s and a downgrade is not possible: %s", e.To, e.From,
			e.choose("stay, or choose a newer version"))
	case SkipsMinor:
		return fmt.Sprintf("%s is more than one minor version ahead of %s: %s", e.To, e.From,
			e.choose(fmt.Sprintf("upgrade to %d.%d first", e.From.Major, e.From.Minor+1)))
	case Committed:
		return fmt.Sprintf("there is no way to %s any more: the control plane runs %s and ceases to behave as the version before, which may not read what is stored from now on: set spec.version to %s",
			e.To, e.From, e.From)
	default:
		return fmt.Sprintf("%s is another major version than %s: %s", e.To, e.From,
			e.choose(fmt.Sprintf("choose a %d.x version", e.From.Major)))
	}
}

// choose ends a message with what to do and, where known, with the versions to do it with.
func (e *UpgradeError) choose(what string) string {
	if len(e.Offered) == 0 {
		return what
	}
	return what + "; offered: " + join(e.Offered)
}

// CanUpgrade is nil when a control plane or a node pool may go from one version to the other, and an
// *UpgradeError otherwise. The rules: any newer patch or build of the same minor, any release of the
// next minor, nothing else. One minor at a time is the Kubernetes version skew policy
// (https://kubernetes.io/releases/version-skew-policy/: "do not skip MINOR versions when upgrading
// kube-apiserver"); never going back is because a newer API server may have stored what an older one
// cannot read.
//
// offered is optional: the versions that this infrastructure has, for the error to name those that fit.
func CanUpgrade(from, to Version, offered ...Version) error {
	var problem UpgradeProblem
	switch order := to.Compare(from); {
	case order == 0:
		problem = NothingToDo
	case order < 0:
		problem = Downgrade
	case to.Major != from.Major:
		problem = OtherMajor
	case to.Minor > from.Minor+1:
		problem = SkipsMinor
	default:
		return nil
	}
	err := &UpgradeError{Problem: problem, From: from, To: to, Offered: Upgrades(from, offered)}
	if problem == SkipsMinor {
		// The way forward is the next minor; a patch of the present one would not bring them closer.
		err.Offered = slices.DeleteFunc(err.Offered, func(v Version) bool { return v.Minor == from.Minor })
	}
	return err
}

// CanReturn is nil when a control plane that has been committed to a release may be asked for
// another one, and an *UpgradeError otherwise: first it becomes what it was committed to.
func CanReturn(committed string, to Version) error {
	if committed == "" {
		return nil
	}
	from, err := Parse(committed)
	if err != nil || from == to {
		return err
	}
	return &UpgradeError{Problem: Committed, From: from, To: to}
}
