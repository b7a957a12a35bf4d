package pki

import (
	"cmp"
	"slices"
)

// set is a sorted copy of values without duplicates.
func set[T cmp.Ordered](values []T) []T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
