// Package hollow boots the servers of the OpenStack simulator as hollow nodes: kubelets
// without containers. Of a server's user data it does what cloud-init and systemd would
// do, with the bytes that a real server would get; whatever is wrong with them shows, as
// on a real one, in a node that never joins and on the server's console.
//
// It knows nothing of the clusters that the nodes join. Its nodes are processes of their
// own, which outlive it: the next Driver of the folder goes on with them.
//
//	<Dir>/servers/<id>/disk         the server's disk
//	<Dir>/servers/<id>/console.log  what it has shown before kubelet began
//	<Dir>/servers/<id>/address      what it listens on
//	<Dir>/processes                 kubelets, with their logs
package hollow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// namespace is where the host has the servers' Components, and program what runs there.
const (
	namespace = "servers"
	program   = "hollow-node"
)

// Folder is where in Options.Dir there is a folder for each server.
const Folder = "servers"

// grace is how long a kubelet may take to stop: a server that is switched off has none.
const grace = 2 * time.Second

// Options is what a Driver needs.
type Options struct {
	// Dir is the folder that everything is kept in.
	Dir string
	// BinDir holds kubernetes/<version>/hollow-node.
	BinDir string
	Log    *slog.Logger
}

// Driver is a nova.Driver.
type Driver struct {
	dir, processes string
	host           *local.Host
	addresses      *addresses
	now            func() time.Time
	ending         sync.Once

	mu sync.Mutex
	// booted is what the servers run that a kubelet was started on, by id.
	booted map[string]component.Component
}

var (
	_ nova.Driver   = (*Driver)(nil)
	_ nova.Consoler = (*Driver)(nil)
)

// New finds out what runs from before, and does nothing more. There can be one Driver at a
// time for a folder.
func New(o Options) (*Driver, error) {
	d := &Driver{dir: filepath.Join(o.Dir, Folder), processes: filepath.Join(o.Dir, "processes"), now: time.Now, booted: map[string]component.Component{}}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	d.host, err = local.New(local.Options{Dir: d.processes, BinDir: o.BinDir, Files: local.StaticFiles{}, Log: logr.FromSlogHandler(o.Log.Handler())})
	if err != nil {
		return nil, err
	}
	if d.addresses, err = readAddresses(d.dir); err != nil {
		return nil, errors.Join(err, d.Leave())
	}
	return d, nil
}

// Keep ends what is of other servers than these. It comes before any of them is booted.
func (d *Driver) Keep(ctx context.Context, servers []string) error {
	_, err := d.host.CollectGarbage(ctx, func(_, name string) bool { return slices.Contains(servers, name) })
	folders, readErr := os.ReadDir(d.dir)
	err = errors.Join(err, readErr)
	for _, folder := range folders {
		if !slices.Contains(servers, folder.Name()) {
			err = errors.Join(err, d.Destroy(ctx, folder.Name()))
		}
	}
	return err
}

// Boot implements nova.Driver.
func (d *Driver) Boot(ctx context.Context, s nova.Instance) error {
	if err := os.MkdirAll(d.folder(s.ID), 0o700); err != nil {
		return err
	}
	console, err := guest.OpenConsole(d.consoleLog(s.ID), d.now)
	if err != nil {
		return err
	}
	defer console.Close()
	console.Say("booting %s from the image %q", s.Name, s.Image["name"])
	disk := disk{root: filepath.Join(d.folder(s.ID), "disk")}
	if !disk.booted() {
		if err := disk.initialize(s); errors.As(err, new(guest.Mistake)) {
			console.Say("cloud-init: %v", err)
		} else if err != nil {
			return err
		}
	}
	if !disk.enabled() {
		console.Say("nothing starts a kubelet on this server")
		return nil
	}
	address, err := d.addresses.of(s.ID)
	if err != nil {
		return err
	}
	args, err := kubelet(disk, s, address)
	if errors.As(err, new(guest.Mistake)) {
		console.Say("systemd: kubelet.service: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	console.Say("starting the kubelet %s at %s", s.Image[guest.PropertyKubernetes], address)
	c := componentOf(s.ID, 1)
	c.Main.Version, c.Main.Args = s.Image[guest.PropertyKubernetes], args
	d.mu.Lock()
	d.booted[s.ID] = c
	d.mu.Unlock()
	return d.host.Apply(ctx, c)
}

// Stop implements nova.Driver.
func (d *Driver) Stop(ctx context.Context, id string) error {
	if err := d.host.Apply(ctx, componentOf(id, 0)); err != nil {
		return err
	}
	process := fmt.Sprintf("%s/%s/0/%s", namespace, id, program)
	return poll(ctx, func(context.Context) (bool, error) {
		running, err := local.Running(d.processes)
		return running[process] == 0, err
	})
}

// Reboot implements nova.Driver. Hard or not makes no difference to a kubelet.
func (d *Driver) Reboot(ctx context.Context, id string, _ bool) error {
	if err := d.Stop(ctx, id); err != nil {
		return err
	}
	d.mu.Lock()
	c, ok := d.booted[id]
	d.mu.Unlock()
	if !ok {
		return nil // without a kubelet
	}
	return d.host.Apply(ctx, c)
}

// Destroy implements nova.Driver.
func (d *Driver) Destroy(ctx context.Context, id string) error {
	err := poll(ctx, func(ctx context.Context) (bool, error) { return d.host.Delete(ctx, namespace, id) })
	if err != nil {
		return err
	}
	if err := os.RemoveAll(d.folder(id)); err != nil {
		return err
	}
	d.addresses.free(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.booted, id)
	return nil
}

// Leave ends the Driver. The nodes live on.
func (d *Driver) Leave() error { return d.end(context.Background(), false) }

// Shutdown ends the Driver and the nodes, as when the power fails. The disks stay.
func (d *Driver) Shutdown(ctx context.Context) error { return d.end(ctx, true) }

// end ends the Driver once; a second call does nothing.
func (d *Driver) end(ctx context.Context, withNodes bool) (err error) {
	d.ending.Do(func() { err = d.host.Stop(ctx, withNodes) })
	return err
}

// Console implements nova.Consoler. It shows what there is, which may be nothing.
func (d *Driver) Console(id string) string {
	return guest.LastOf(d.consoleLog(id)) + guest.LastOf(d.kubeletLog(id))
}

func (d *Driver) folder(id string) string     { return filepath.Join(d.dir, id) }
func (d *Driver) consoleLog(id string) string { return filepath.Join(d.folder(id), "console.log") }

// kubeletLog is where the host has a process write, see package local.
func (d *Driver) kubeletLog(id string) string {
	return filepath.Join(d.processes, namespace, id, id+"-0", program+".log")
}

func componentOf(id string, replicas int) component.Component {
	return component.Component{
		Namespace: namespace, Name: id, Replicas: replicas, Grace: grace,
		Main: component.Process{Name: program, Program: program},
	}
}

func poll(ctx context.Context, done wait.ConditionWithContextFunc) error {
	return wait.PollUntilContextCancel(ctx, 25*time.Millisecond, true, done)
}
