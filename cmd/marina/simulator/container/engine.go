package container

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// What the engine says of containers, as far as it makes a difference here.
const (
	stateRunning = "running"
	stateExited  = "exited"
)

// engine is a Docker engine, by the command line of its client.
type engine struct{ host string }

// do runs a command of the client. What is secret comes by stdin, which may be nil.
func (e engine) do(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"--host", e.host}, args...)...)
	var out, failed bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &failed
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(failed.String()))
	}
	return out.String(), nil
}

// state is that of a container; empty if there is none.
func (e engine) state(ctx context.Context, name string) (string, error) {
	out, err := e.do(ctx, nil, "ps", "--all", "--filter", "name=^/"+name+"$", "--format", "{{.State}}")
	return strings.TrimSpace(out), err
}

// servers are those that containers of a driver's folder stand for.
func (e engine) servers(ctx context.Context, folder string, filters ...string) ([]string, error) {
	args := []string{"ps", "--all", "--filter", "label=" + labelFolder + "=" + folder, "--format", `{{.Label "` + labelServer + `"}}`}
	for _, filter := range filters {
		args = append(args, "--filter", filter)
	}
	out, err := e.do(ctx, nil, args...)
	return strings.Fields(out), err
}

func (e engine) create(ctx context.Context, arguments []string) error {
	_, err := e.do(ctx, nil, append([]string{"create"}, arguments...)...)
	return err
}

// unpack puts the files of an archive into a container that has not started.
func (e engine) unpack(ctx context.Context, name string, archive io.Reader) error {
	_, err := e.do(ctx, archive, "cp", "-", name+":/")
	return err
}

func (e engine) start(ctx context.Context, name string) error {
	_, err := e.do(ctx, nil, "start", name)
	return err
}

func (e engine) stop(ctx context.Context, name string) error {
	_, err := e.do(ctx, nil, "stop", "--time", grace, name)
	return err
}

func (e engine) restart(ctx context.Context, name string, hard bool) error {
	seconds := grace
	if hard {
		seconds = "0"
	}
	_, err := e.do(ctx, nil, "restart", "--time", seconds, name)
	return err
}

func (e engine) kill(ctx context.Context, names []string) error {
	_, err := e.do(ctx, nil, append([]string{"kill"}, names...)...)
	return err
}

// remove removes a container with its volumes, if there is one.
func (e engine) remove(ctx context.Context, name string) error {
	_, err := e.do(ctx, nil, "rm", "--force", "--volumes", name)
	return err
}
