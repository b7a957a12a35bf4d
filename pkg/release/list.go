package release

import (
	"slices"
	"strings"
)

// Sort orders versions in place, oldest first.
func Sort(versions []Version) { slices.SortFunc(versions, Compare) }

// Latest is the newest of versions. It is false when there is none.
func Latest(versions []Version) (Version, bool) {
	if len(versions) == 0 {
		return Version{}, false
	}
	return slices.MaxFunc(versions, Compare), true
}

// Upgrades lists those of offered that CanUpgrade permits from the version from, oldest first and each
// once.
func Upgrades(from Version, offered []Version) []Version {
	var next []Version
	for _, v := range offered {
		if CanUpgrade(from, v) == nil {
			next = append(next, v)
		}
	}
	Sort(next)
	return slices.Compact(next)
}

// join writes versions for a message.
func join(versions []Version) string {
	names := make([]string, 0, len(versions))
	for _, v := range versions {
		names = append(names, v.String())
	}
	return strings.Join(names, ", ")
}
