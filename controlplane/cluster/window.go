package cluster

import (
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	// windowLength is how long a maintenance window is open (features U8).
	windowLength = 2 * time.Hour
	// turns is how long after a window opened the last Cluster begins: the rest is for what it
	// waits for.
	turns = 100 * time.Minute
)

// turn is when within a time it is the turn of a Cluster, always the same: what is due for many in
// the same moment is not to begin at once.
func turn(uid types.UID, within time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(uid))
	return time.Duration(h.Sum64()%uint64(within/time.Second)) * time.Second
}

// opened is when the window opened that is open, and whether one is. Without a window that is
// always so, since the beginning of time.
func opened(w *v1alpha1.MaintenanceWindow, now time.Time) (since time.Time, open bool) {
	if w == nil {
		return time.Time{}, true
	}
	since = opening(w, now.Add(-windowLength))
	return since, !since.After(now)
}

// opening is when a window opens next after a time.
func opening(w *v1alpha1.MaintenanceWindow, after time.Time) time.Time {
	after = after.UTC()
	at := time.Date(after.Year(), after.Month(), after.Day(), int(*w.StartHour), 0, 0, 0, time.UTC)
	for !at.After(after) || w.Day != v1alpha1.AnyDay && w.Day != "" && at.Weekday().String() != w.Day {
		at = at.AddDate(0, 0, 1)
	}
	return at
}
