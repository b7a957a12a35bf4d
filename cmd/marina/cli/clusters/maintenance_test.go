package clusters

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
)

// What cannot be is refused before anything is asked of the API.
func TestMaintenanceThatCannotBe(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"PatchesWithoutWindow": {[]string{"--auto-upgrade", "Patch"}, "--auto-upgrade Patch needs --maintenance-window: say when, for example Sunday:2"},
		"Minors":               {[]string{"--auto-upgrade", "Minor", "--maintenance-window", "Any:2"}, `--auto-upgrade: "Minor" is not known: choose None or Patch`},
		"NoDay":                {[]string{"--maintenance-window", "sun:2"}, `--maintenance-window: there is no day "sun": write DAY:HOUR in UTC, with one of Any, Sunday, `},
		"NoHour":               {[]string{"--maintenance-window", "Sunday"}, `--maintenance-window: "" is no hour from 0 to 23`},
		"HourTooLate":          {[]string{"--maintenance-window", "Sunday:24"}, `"24" is no hour from 0 to 23: write DAY:HOUR in UTC, for example Sunday:2`},
	} {
		t.Run(name, func(t *testing.T) {
			a := clitest.NewAPI(t, []client.Object{published("1.36.4-1")})
			_, _, err := run(t, t.Context(), a, append([]string{"create", "demo"}, tc.args...)...)
			if err == nil || !strings.Contains(clitest.Explained(err), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
