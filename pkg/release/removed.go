package release

import (
	"cmp"
	"fmt"
	"slices"
)

// DeprecatedAPI is an API that somebody has asked for, and that ends with a minor version.
type DeprecatedAPI struct {
	// Group is empty for the core group.
	Group, Version, Resource string
	// RemovedIn is the first minor version without it, 1.37; empty if none is known.
	RemovedIn string
}

// String is group/version/resource.
func (a DeprecatedAPI) String() string {
	if a.Group == "" {
		return a.Version + "/" + a.Resource
	}
	return a.Group + "/" + a.Version + "/" + a.Resource
}

// Removed are those of apis that API servers of a version do not serve, in a stable order and
// each once. What RemovedIn is not understood of counts as served.
func Removed(by Version, apis []DeprecatedAPI) []DeprecatedAPI {
	var gone []DeprecatedAPI
	for _, a := range apis {
		var major, minor int
		if n, err := fmt.Sscanf(a.RemovedIn, "%d.%d", &major, &minor); err != nil || n != 2 {
			continue
		}
		if cmp.Or(cmp.Compare(major, by.Major), cmp.Compare(minor, by.Minor)) <= 0 {
			gone = append(gone, a)
		}
	}
	slices.SortFunc(gone, func(a, b DeprecatedAPI) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(gone)
}
