//go:build kind

package kind

import (
	"iter"
	"strings"
)

// splitLines are the lines of a text that are not empty.
func splitLines(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && !yield(line) {
				return
			}
		}
	}
}
