package container

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
)

// node is a file on a server's disk: a link, if it leads somewhere.
type node struct {
	path, content string
	mode          int64
	target        string
}

// finished is there as soon as cloud-init does its work, which it does once.
const finished = "/var/lib/cloud/instance/boot-finished"

const (
	units  = "/etc/systemd/system/"
	runCmd = "/usr/local/lib/marina-simulator/runcmd"
)

// consoleFile and socketFile are in a server's folder.
const (
	consoleFile = "console.log"
	socketFile  = "api.sock"
)

// files are what a server's disk gets before its first start: those that stand in for
// cloud-init and for what an image for virtual machines has, and then those of the user
// data, which may replace any.
func files(id string, config *guest.CloudConfig, port string) []node {
	all := []node{
		{path: "/usr/local/bin/cloud-init", mode: 0o755, content: fmt.Sprintf(cloudInit, id)},
		{path: runCmd, mode: 0o755, content: script(config.RunCmd)},
		{path: units + "cloud-final.service", content: finalUnit},
		{path: units + "multi-user.target.wants/cloud-final.service", target: units + "cloud-final.service"},
		{path: units + "console.service", content: consoleUnit},
		{path: units + "multi-user.target.wants/console.service", target: units + "console.service"},
		// The image's kubelet is enabled, and would join before the user data says as what.
		{path: units + "kubelet.service.d/00-cloud-init.conf", content: "[Unit]\nConditionPathExists=" + finished + "\n"},
	}
	if port != "" {
		all = append(all,
			node{path: units + "api.socket", content: fmt.Sprintf(apiSocket, port)},
			node{path: units + "sockets.target.wants/api.socket", target: units + "api.socket"},
			node{path: units + "api.service", content: apiUnit})
	}
	for _, f := range config.WriteFiles {
		mode, _ := f.Mode() // it was parsed
		all = append(all, node{path: path.Clean("/" + f.Path), content: f.Content, mode: int64(mode)})
	}
	return all
}

// script does what cloud-init does with runcmd: a text is for the shell, a list is a
// command, and one that fails does not keep the next from being run.
func script(commands []any) string {
	lines := []string{"#!/bin/sh", "mkdir -p " + path.Dir(finished), "touch " + finished}
	for _, command := range commands {
		if words, ok := command.([]any); ok {
			var quoted []string
			for _, word := range words {
				quoted = append(quoted, "'"+strings.ReplaceAll(fmt.Sprint(word), "'", `'\''`)+"'")
			}
			command = strings.Join(quoted, " ")
		}
		lines = append(lines, fmt.Sprint(command))
	}
	return strings.Join(lines, "\n") + "\n"
}

// archive is what docker cp unpacks.
func archive(files []node) (io.Reader, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.path[1:], Mode: f.mode, Size: int64(len(f.content))}
		if f.mode == 0 {
			h.Mode = 0o644
		}
		if f.target != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.target
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			return nil, err
		}
	}
	return &out, w.Close()
}

const cloudInit = `#!/bin/sh
case "$*" in
"query platform") echo openstack ;;
"query instance_id") echo %s ;;
*) echo "cloud-init: the simulator does not know: $*" >&2; exit 2 ;;
esac
`

const finalUnit = `[Unit]
Description=What the user data has run
After=containerd.service
ConditionPathExists=!` + finished + `
[Service]
Type=oneshot
ExecStart=` + runCmd + `
`

const consoleUnit = `[Unit]
Description=What the server's console shows
[Service]
ExecStart=/usr/bin/journalctl --follow --lines=all --output=short-iso --no-hostname --unit=cloud-final --unit=kubelet
StandardOutput=append:` + shared + "/" + consoleFile + `
`

const apiSocket = `[Unit]
Description=The address of the API server, as it is on the machine of the simulator
[Socket]
ListenStream=127.0.0.1:%s
`

const apiUnit = `[Unit]
Description=The way to the API server
[Service]
ExecStart=/lib/systemd/systemd-socket-proxyd ` + shared + "/" + socketFile + `
`
