package clusters

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var autoUpgrades = lifecycle.Words(v1alpha1.AutoUpgradeNone, v1alpha1.AutoUpgradePatch)

// maintenance is what the flags say of it.
func (o *createOptions) maintenance() (m v1alpha1.MaintenanceSpec, err error) {
	if o.window != "" {
		if m.Window, err = parseWindow(o.window); err != nil {
			return m, err
		}
	}
	switch m.AutoUpgrade = v1alpha1.AutoUpgrade(o.autoUpgrade); {
	case o.autoUpgrade != "" && !slices.Contains(autoUpgrades, o.autoUpgrade):
		return m, fmt.Errorf("--auto-upgrade: %q is not known: choose %s", o.autoUpgrade, strings.Join(autoUpgrades, " or "))
	case m.AutoUpgrade == v1alpha1.AutoUpgradePatch && m.Window == nil:
		return m, fmt.Errorf("--auto-upgrade Patch needs --maintenance-window: say when, for example Sunday:2")
	}
	return m, nil
}

// parseWindow reads DAY:HOUR.
func parseWindow(text string) (*v1alpha1.MaintenanceWindow, error) {
	days := []string{v1alpha1.AnyDay}
	for day := time.Sunday; day <= time.Saturday; day++ {
		days = append(days, day.String())
	}
	day, hour, _ := strings.Cut(text, ":")
	if !slices.Contains(days, day) {
		return nil, fmt.Errorf("--maintenance-window: there is no day %q: write DAY:HOUR in UTC, with one of %s", day, strings.Join(days, ", "))
	}
	h, err := strconv.Atoi(hour)
	if err != nil || h < 0 || h > 23 {
		return nil, fmt.Errorf("--maintenance-window: %q is no hour from 0 to 23: write DAY:HOUR in UTC, for example Sunday:2", hour)
	}
	return &v1alpha1.MaintenanceWindow{Day: day, StartHour: new(int32(h))}, nil
}
