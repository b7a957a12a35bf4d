package hollow

import (
	"os"
	"regexp"
	"strings"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
)

// run does a command of runcmd, which must be a script on the disk: nothing of a user's
// runs on this machine, so that the few commands a script may have are done in its place.
func (d disk) run(command any, id string) error {
	words, ok := command.([]any)
	if !ok || len(words) != 1 {
		return guest.Wrong("runcmd: the simulator does not run %v: it takes the path of a script, in a list", command)
	}
	path, ok := words[0].(string)
	if !ok {
		return guest.Wrong("runcmd: %v is no path", words[0])
	}
	info, err := os.Stat(d.path(path))
	if err != nil || info.Mode()&0o111 == 0 {
		return guest.Wrong("runcmd: %s: not found, or not executable", path)
	}
	script, err := os.ReadFile(d.path(path))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(script)) {
		if err := d.do(path, strings.TrimSpace(line), id); err != nil {
			return err
		}
	}
	return nil
}

var (
	// onOpenStack asks what a server of the simulator answers with yes.
	onOpenStack = regexp.MustCompile(`^if cloud-init query platform \| grep -qxE 'openstack\|configdrive'; then$`)
	writes      = regexp.MustCompile(`^echo "([^"` + "`" + `\\]*)" >(/\S+)$`)
	queryID     = "$(cloud-init query instance_id)"
)

// do does one line of a script.
func (d disk) do(path, line, id string) error {
	switch {
	case line == "", strings.HasPrefix(line, "#"), line == "set -eu", line == "fi", onOpenStack.MatchString(line):
		return nil
	case line == "systemctl daemon-reload", line == "systemctl restart kubelet":
		return nil // what is enabled is started
	case line == "systemctl enable kubelet":
		return d.write(pathEnabled, "", 0o644)
	}
	if m := writes.FindStringSubmatch(line); m != nil {
		text := strings.ReplaceAll(m[1], queryID, id)
		if !strings.Contains(text, "$") {
			return d.write(m[2], text+"\n", 0o644)
		}
	}
	return guest.Wrong("%s: the simulator does not know the command %q", path, line)
}
