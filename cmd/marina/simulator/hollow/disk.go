package hollow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// What is found where on a server.
const (
	pathFinished = "/var/lib/cloud/instance/boot-finished"
	pathEnabled  = "/etc/systemd/system/multi-user.target.wants/kubelet.service"
	pathDropIns  = "/etc/systemd/system/kubelet.service.d"
	pathKubelet  = "/usr/bin/kubelet"
	pathData     = "/var/lib/kubelet"
)

// disk is a server's disk: a folder of this machine.
type disk struct{ root string }

// path is where a path of the server is here; none leads out of the disk.
func (d disk) path(path string) string { return filepath.Join(d.root, filepath.Clean("/"+path)) }

// booted reports whether cloud-init has done its work, which it does once.
func (d disk) booted() bool { return d.has(pathFinished) }

// enabled reports whether systemd starts the kubelet.
func (d disk) enabled() bool { return d.has(pathEnabled) }

func (d disk) has(path string) bool {
	_, err := os.Stat(d.path(path))
	return err == nil
}

func (d disk) write(path, content string, mode fs.FileMode) error {
	file := d.path(path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(file, mode)
}

// initialize does what cloud-init does at the first boot: it writes files, and then runs
// commands. A mistake of the user's ends it, and is not tried again.
func (d disk) initialize(s nova.Instance) error {
	if err := os.MkdirAll(d.root, 0o700); err != nil {
		return err
	}
	err := d.install(s)
	if err != nil && !errors.As(err, new(guest.Mistake)) {
		return err
	}
	return errors.Join(err, d.write(pathFinished, "", 0o644))
}

func (d disk) install(s nova.Instance) error {
	config, err := guest.Parse(s.UserData)
	if err != nil {
		return err
	}
	for _, f := range config.WriteFiles {
		mode, err := f.Mode()
		if err != nil {
			return err
		}
		if err := d.write(f.Path, f.Content, fs.FileMode(mode)); err != nil {
			return err
		}
	}
	for _, command := range config.RunCmd {
		if err := d.run(command, s.ID); err != nil {
			return err
		}
	}
	return nil
}
