package logging

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestFlags(t *testing.T) {
	for name, tc := range map[string]struct {
		flags Flags
		err   string
	}{
		"defaults":              {flags: Flags{Format: Text}},
		"as much as is allowed": {flags: Flags{Format: JSON, Verbosity: 7}},
		"contents of Secrets":   {flags: Flags{Format: JSON, Verbosity: 8}, err: "-v 8: it is 0 to 7; above that, Secrets would be in the log"},
		"less than nothing":     {flags: Flags{Format: Text, Verbosity: -1}, err: "-v -1: it is 0 to 7"},
		"another format":        {flags: Flags{Format: "xml"}, err: "it is text or json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tc.flags.New(&cobra.Command{Use: "marina"})
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("error %v, want one with %q", err, tc.err)
			}
		})
	}
}
