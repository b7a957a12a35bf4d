package local

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// expandAll is expand for each.
func expandAll(list []string, vars map[string]string) ([]string, error) {
	all := make([]string, len(list))
	for i, s := range list {
		var err error
		if all[i], err = expand(s, vars); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// expand replaces $(NAME) by its value. $$ stands for one $, so that $$(NAME) is left
// as $(NAME), and a $ before anything else for itself: the syntax of Kubernetes. Other
// than there an unknown name is an error, since nobody could want it.
func expand(s string, vars map[string]string) (string, error) {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "$")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			s = after[1:]
			continue
		case strings.HasPrefix(after, "("):
			name, rest, closed := strings.Cut(after[1:], ")")
			if closed {
				value, known := vars[name]
				if !known {
					return "", fmt.Errorf("%q: unknown variable $(%s); known are %s", s, name, strings.Join(slices.Sorted(maps.Keys(vars)), ", "))
				}
				b.WriteString(value)
				s = rest
				continue
			}
		}
		b.WriteByte('$')
		s = after
	}
}
