package failure

import (
	"fmt"
	"io"
	"strings"
)

// Print writes err for people and returns the exit code. Errors that were joined
// are printed one after the other; the first one's code counts.
func Print(w io.Writer, err error) int {
	if err == nil {
		return ExitOK
	}
	var all []*Error
	for _, single := range split(err) {
		all = append(all, Explain(single))
	}
	for i, e := range all {
		printProblem(w, e)
		// The same advice several times in a row is said once.
		last := i == len(all)-1
		if e.Do != "" && (last || all[i+1].Do != e.Do) {
			fmt.Fprintf(w, "What to do: %s\n", oneLine(e.Do))
		}
	}
	return max(all[0].Exit, ExitFailure)
}

func printProblem(w io.Writer, e *Error) {
	message := oneLine(e.Message)
	switch len(e.Causes) {
	case 0:
		fmt.Fprintf(w, "Error: %s\n", message)
	case 1:
		fmt.Fprintf(w, "Error: %s: %s\n", message, oneLine(e.Causes[0]))
	default:
		fmt.Fprintf(w, "Error: %s:\n", message)
		for _, cause := range e.Causes {
			fmt.Fprintf(w, "  - %s\n", oneLine(cause))
		}
	}
}

// split takes errors.Join apart. An error with %w twice is one error still: its
// text says how its parts belong together.
func split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != joinedText(joined.Unwrap()) {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, split(part)...)
	}
	return all
}

func joinedText(errs []error) string {
	texts := make([]string, 0, len(errs))
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "\n")
}

// oneLine keeps the promise of one line for each message, whatever a server sent.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
