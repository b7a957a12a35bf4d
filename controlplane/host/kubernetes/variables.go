package kubernetes

import (
	"fmt"
	"strings"
)

// variables are the names that texts refer to as $(NAME), where $$ stands for one $:
// the syntax of Kubernetes, which replaces what it knows and leaves the rest.
func variables(texts []string) (map[string]bool, error) {
	names := map[string]bool{}
	for _, text := range texts {
		for rest := text; ; {
			_, after, ok := strings.Cut(rest, "$")
			if !ok {
				break
			}
			rest = after
			switch {
			case strings.HasPrefix(after, "$"):
				rest = after[1:]
			case strings.HasPrefix(after, "("):
				name, more, closed := strings.Cut(after[1:], ")")
				if !closed {
					continue
				}
				if name == "" {
					return nil, fmt.Errorf("%q: a variable without a name", text)
				}
				names[name], rest = true, more
			}
		}
	}
	return names, nil
}
