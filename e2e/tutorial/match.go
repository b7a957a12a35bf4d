package tutorial

import (
	"regexp"
	"strings"
)

// anything is what stands for what differs each time.
const anything = "…"

// matches reports whether got is what a page shows as want. When more is true, got
// may go on: who prints it still runs.
func matches(want, got string, more bool) bool {
	var pattern strings.Builder
	pattern.WriteString(`^`)
	for _, line := range lines(want) {
		if line == anything {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(line, anything)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, `.*`) + `\n`)
	}
	if !more {
		pattern.WriteString(`$`)
	}
	return regexp.MustCompile(pattern.String()).MatchString(text(lines(got)))
}

// lines are those of s with spaces counted as one. Empty ones say nothing.
func lines(s string) []string {
	var all []string
	for line := range strings.Lines(s) {
		if fields := strings.Fields(line); len(fields) > 0 {
			all = append(all, strings.Join(fields, " "))
		}
	}
	return all
}

func text(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return b.String()
}
