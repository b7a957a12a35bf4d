//go:build kind

package kind

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/marina-dev/marina/e2e/harness"
)

// table collects what probers have found, for people.
type table struct{ rows []string }

func (t *table) add(what, asked string, r harness.Report) {
	began, known := r.LastFailure()
	t.rows = append(t.rows, fmt.Sprintf("%s\t%s\t%d\t%d\t%.2f\t%.2f\t%.2f", what, asked,
		len(r.Requests), len(r.Failed()), began.Seconds(), known.Seconds(), r.LongestGap().Seconds()))
}

func (t *table) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what happens\tasked for\trequests\tfailed\tlast begun, s\tlast known, s\tlongest gap, s")
	for _, row := range t.rows {
		fmt.Fprintln(w, row)
	}
	_ = w.Flush()
	return text.String()
}
