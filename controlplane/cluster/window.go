package cluster

import (
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// windowLength is how long a maintenance window is open (features U8).
const windowLength = 2 * time.Hour

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
