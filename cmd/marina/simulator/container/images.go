package container

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// versionFile is where a node image tells which kubelet is in it.
const versionFile = "/kind/version"

// Engine is where the Docker engine listens that the docker command of this process's user
// talks to. It answers, or there is an error.
func Engine(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").Output()
	if err != nil {
		return "", told(err)
	}
	host := strings.TrimSpace(string(out))
	_, err = engine{host}.do(ctx, nil, "version", "--format", "{{.Server.Version}}")
	return host, err
}

// told adds what a command has said to its error.
func told(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("docker: %w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}

// Version is the version of the kubelet in a node image, for example v1.37.1.
func Version(ctx context.Context, host, image string) (string, error) {
	e := engine{host}
	// Nothing is pulled: the images that Docker would find by such a name are not ours.
	if _, err := e.do(ctx, nil, "image", "inspect", image); err != nil {
		return "", err
	}
	out, err := e.do(ctx, nil, "run", "--rm", "--network", "none", "--entrypoint", "cat", image, versionFile)
	if err != nil {
		return "", fmt.Errorf("it is no node image: %w", err)
	}
	return strings.TrimSpace(out), nil
}
