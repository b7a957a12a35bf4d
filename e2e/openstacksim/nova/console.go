package nova

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// console answers with the last lines of a server's console, or with all of them.
func (n *Nova) console(r *front.Request, s *Server) (any, error) {
	var in struct {
		Length json.RawMessage `json:"length"`
	}
	if err := r.Decode("os-getConsoleOutput", &in); err != nil {
		return nil, err
	}
	length := -1 // which is how Nova writes that there is no limit
	if text := strings.Trim(string(in.Length), `"`); text != "" && text != "null" {
		var err error
		if length, err = strconv.Atoi(text); err != nil || length < -1 {
			return nil, invalidInput("length", text, "'%s' does not match '^-?[0-9]+$'", text)
		}
	}
	if s.Host == "" {
		return nil, front.Errorf(http.StatusConflict, "Instance %s is not ready", s.ID)
	}
	output := ""
	if c, ok := n.driver.(Consoler); ok {
		output = c.Console(s.ID)
	}
	if lines := strings.SplitAfter(output, "\n"); length >= 0 {
		// The last piece is what comes after the last line's end: nothing, mostly.
		output = strings.Join(lines[max(0, len(lines)-length-1):], "")
	}
	return front.JSON(http.StatusOK, map[string]any{"output": output}), nil
}
