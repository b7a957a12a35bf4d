package infrastructures

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/dataplane/infrastructure"
)

// show prints a report: what was found as a table, and below it what to do.
func show(w io.Writer, format string, report *infrastructure.Report) error {
	switch format {
	case output.JSON:
		data, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", data)
		return err
	case output.YAML:
		data, err := yaml.Marshal(report)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "CHECK\tRESULT\tFOUND\n")
	todo := false
	for _, c := range report.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, c.Result, c.Found)
		todo = todo || c.Do != ""
	}
	if err := t.Flush(); err != nil || !todo {
		return err
	}
	fmt.Fprintf(w, "\nWhat to do:\n")
	for _, c := range report.Checks {
		if c.Do != "" {
			fmt.Fprintf(w, "  %s: %s\n", c.Name, c.Do)
		}
	}
	return nil
}

// verdict is the error with which the command ends, if anything has failed.
func verdict(report *infrastructure.Report) error {
	failed := 0
	for _, c := range report.Checks {
		if c.Result == infrastructure.Failed {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return failure.New("correct what has failed, and check again", "%d of %d checks have failed", failed, len(report.Checks))
}
