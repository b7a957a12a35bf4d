package hollow

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// kubelet are the arguments of the hollow node that runs in place of a server's kubelet:
// those that systemd would give to the real one, with the paths that its files have here,
// and what a real kubelet finds out of the machine it is on.
func kubelet(d disk, s nova.Instance, address netip.Addr) ([]string, error) {
	if s.Image[guest.PropertyKubernetes] == "" {
		return nil, guest.Wrong("the image %q has no %s: its property %s does not tell of one", s.Image["name"], pathKubelet, guest.PropertyKubernetes)
	}
	words, err := d.execStart()
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || words[0] != pathKubelet {
		return nil, guest.Wrong("ExecStart is %q, and the image has %s", strings.Join(words, " "), pathKubelet)
	}
	args, named := []string{}, false
	for _, word := range words[1:] {
		flag, value, _ := strings.Cut(word, "=")
		switch flag {
		case "--hostname-override":
			word, named = "--name="+value, true
		case "--config", "--bootstrap-kubeconfig", "--kubeconfig":
			word = flag + "=" + d.path(value)
		}
		args = append(args, word)
	}
	if !named {
		args = append(args, "--name="+s.Name)
	}
	args = append(args,
		"--root-dir="+d.path(pathData),
		"--node-ip="+address.String(),
		fmt.Sprintf("--capacity=cpu=%d,memory=%dMi,ephemeral-storage=%dGi", s.VCPUs, s.RAMMiB, s.DiskGiB))
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "$", "$$") // it means itself, and no variable of the host
	}
	return args, nil
}

// execStart is the command line of kubelet.service, without those of its words that are
// variables which nobody sets.
func (d disk) execStart() ([]string, error) {
	files, err := os.ReadDir(d.path(pathDropIns)) // sorted, as systemd reads them
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var command string
	environment := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(d.path(pathDropIns), file.Name()))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "ExecStart": // the last one counts
				command = value
			case "EnvironmentFile":
				if err := d.readEnvironment(value, environment); err != nil {
					return nil, err
				}
			}
		}
	}
	var words []string
	for _, word := range strings.Fields(command) {
		if name, ok := strings.CutPrefix(word, "$"); ok {
			words = append(words, strings.Fields(environment[name])...)
		} else {
			words = append(words, word)
		}
	}
	return words, nil
}

// readEnvironment reads an EnvironmentFile; one that begins with - need not be there.
func (d disk) readEnvironment(path string, into map[string]string) error {
	path, optional := strings.CutPrefix(path, "-")
	text, err := os.ReadFile(d.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		if optional {
			return nil
		}
		return guest.Wrong("there is no %s", path)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			into[name] = value
		}
	}
	return err
}
