// Package container boots the servers of the OpenStack simulator as containers of a Docker
// engine, with systemd, containerd and a kubelet: real nodes, in which pods run. What a
// server's user data says is done in its container, and nowhere else.
//
// It knows nothing of the clusters that the nodes join, but where the API server is that
// the user data names: containers do not reach what listens on this machine's loopback, so
// that they are given a way there. They outlive the Driver, and the next one of the folder
// goes on with them; without one their nodes do not reach their clusters.
//
//	<Dir>/containers/<id>/api.sock     the way to the API server
//	<Dir>/containers/<id>/console.log  what the server has shown
package container

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// grace is how many seconds systemd may take to end what it runs, when a server is stopped
// softly.
const grace = "10"

// Options is what a Driver needs.
type Options struct {
	// Dir is the folder that everything is kept in: an absolute path, by which containers
	// are known.
	Dir string
	// Engine is where the Docker engine listens, for example unix:///run/docker.sock.
	Engine string
	// Images are the container images, by the version of the kubelet in them.
	Images map[string]string
	// Network is the engine's network that containers are in; its default one if it is empty.
	Network string
	Log     *slog.Logger
}

// Driver is a nova.Driver.
type Driver struct {
	dir     string
	engine  engine
	images  map[string]string
	network string
	relays  relays
	now     func() time.Time
}

var (
	_ nova.Driver   = (*Driver)(nil)
	_ nova.Consoler = (*Driver)(nil)
)

// New makes a folder, and does nothing more. There can be one Driver at a time for it.
func New(o Options) (*Driver, error) {
	d := &Driver{
		dir: filepath.Join(o.Dir, Folder), engine: engine{o.Engine}, images: o.Images, network: cmp.Or(o.Network, "default"),
		relays: relays{log: o.Log}, now: time.Now,
	}
	return d, os.MkdirAll(d.dir, 0o700)
}

// Folder is where in Options.Dir there is a folder for each server.
const Folder = "containers"

// Keep ends what is of other servers than these. It comes before any of them is booted.
func (d *Driver) Keep(ctx context.Context, servers []string) error {
	there, err := d.engine.servers(ctx, d.dir)
	if err != nil {
		return err
	}
	folders, err := os.ReadDir(d.dir)
	for _, folder := range folders {
		there = append(there, folder.Name())
	}
	for _, id := range there {
		if !slices.Contains(servers, id) {
			err = errors.Join(err, d.Destroy(ctx, id))
		}
	}
	return err
}

// Boot implements nova.Driver. A container that runs already is left as it is.
func (d *Driver) Boot(ctx context.Context, s nova.Instance) error {
	if err := os.MkdirAll(d.folder(s.ID), 0o700); err != nil {
		return err
	}
	console, err := guest.OpenConsole(d.consoleLog(s.ID), d.now)
	if err != nil {
		return err
	}
	defer console.Close()
	state, err := d.engine.state(ctx, name(s.ID))
	if err != nil {
		return err
	}
	config, mistake := guest.Parse(s.UserData)
	if mistake != nil {
		config = &guest.CloudConfig{}
	}
	port := apiServer(config)
	if port != "" {
		if err := d.relays.open(s.ID, d.folder(s.ID), port); err != nil {
			return err
		}
	}
	switch state {
	case stateRunning:
		return nil
	case stateExited:
		console.Say("booting %s again", s.Name)
	default: // none, or a boot was cut short
		console.Say("booting %s from the image %q", s.Name, s.Image["name"])
		if mistake != nil {
			console.Say("cloud-init: %v", mistake)
		}
		if err := d.create(ctx, s, config, port); err != nil {
			return err
		}
	}
	return d.engine.start(ctx, name(s.ID))
}

// create makes a server's container with the files that it is to have when it starts.
func (d *Driver) create(ctx context.Context, s nova.Instance, config *guest.CloudConfig, port string) error {
	image, err := d.imageOf(s)
	if err != nil {
		return err
	}
	disk, err := archive(files(s.ID, config, port))
	if err != nil {
		return err
	}
	if err := d.engine.remove(ctx, name(s.ID)); err != nil {
		return err
	}
	if err := d.engine.create(ctx, arguments(s, image, d.network, d.dir, d.folder(s.ID))); err != nil {
		return err
	}
	return d.engine.unpack(ctx, name(s.ID), disk)
}

// Stop implements nova.Driver.
func (d *Driver) Stop(ctx context.Context, id string) error {
	state, err := d.engine.state(ctx, name(id))
	if err != nil || state == "" {
		return err
	}
	return d.engine.stop(ctx, name(id))
}

// Reboot implements nova.Driver.
func (d *Driver) Reboot(ctx context.Context, id string, hard bool) error {
	return d.engine.restart(ctx, name(id), hard)
}

// Destroy implements nova.Driver.
func (d *Driver) Destroy(ctx context.Context, id string) error {
	if err := d.engine.remove(ctx, name(id)); err != nil {
		return err
	}
	d.relays.close(id)
	return os.RemoveAll(d.folder(id))
}

// Console implements nova.Consoler. It shows what there is, which may be nothing.
func (d *Driver) Console(id string) string { return guest.LastOf(d.consoleLog(id)) }

// Leave ends the Driver. The containers live on.
func (d *Driver) Leave() error {
	d.relays.closeAll()
	return nil
}

// Shutdown ends the Driver and the containers, as when the power fails. The disks stay.
func (d *Driver) Shutdown(ctx context.Context) error {
	d.relays.closeAll()
	servers, err := d.engine.servers(ctx, d.dir, "status=running")
	if err != nil || len(servers) == 0 {
		return err
	}
	for i, id := range servers {
		servers[i] = name(id)
	}
	return d.engine.kill(ctx, servers)
}

func (d *Driver) folder(id string) string     { return filepath.Join(d.dir, id) }
func (d *Driver) consoleLog(id string) string { return filepath.Join(d.folder(id), consoleFile) }
