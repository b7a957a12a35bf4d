// Package simulator is 'marina simulator': the OpenStack simulator as the cloud of
// 'marina up', which starts it as a process of its own. It is told who may use it, offers
// what clusters need, and boots hollow nodes, or containers.
//
//	<data>/cloud.json            everything that the cloud knows
//	<data>/servers, processes    hollow nodes that it boots; see package hollow
//	<data>/containers            what containers that it boots share; see package container
package simulator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/logging"
	"github.com/marina-dev/marina/cmd/marina/simulator/container"
	"github.com/marina-dev/marina/cmd/marina/simulator/hollow"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// Options say where the cloud is, and for whom.
type Options struct {
	// Listen is where it is served.
	Listen string
	// DataDir is what it is kept in.
	DataDir string
	// BinDir holds kubernetes/<version>/hollow-node.
	BinDir string
	// Accounts is a folder with a file for each project, which holds its user's password.
	Accounts string
	// Kubernetes are the versions of which there are images.
	Kubernetes []string
	// Containers has servers be containers; without one they are hollow nodes.
	Containers Containers
	Log        *slog.Logger
}

// Containers are what servers are made of.
type Containers struct {
	// Engine is where the Docker engine listens, for example unix:///run/docker.sock.
	Engine string
	// Images are the node images by their version of Kubernetes; none for hollow nodes.
	Images map[string]string
}

// Args are the command line that Options come from.
func (o Options) Args() []string {
	args := []string{"simulator", "--listen=" + o.Listen, "--data-dir=" + o.DataDir, "--bin-dir=" + o.BinDir, "--accounts=" + o.Accounts}
	for _, version := range o.Kubernetes {
		args = append(args, "--kubernetes="+version)
	}
	if len(o.Containers.Images) > 0 {
		args = append(args, "--engine="+o.Containers.Engine)
	}
	for _, version := range slices.Sorted(maps.Keys(o.Containers.Images)) {
		args = append(args, "--node-image="+version+"="+o.Containers.Images[version])
	}
	return args
}

// NewCommand is 'marina simulator'. It is hidden, since nobody types it: what it offers is
// of use only together with what 'marina up' makes of it.
func NewCommand() *cobra.Command {
	o := Options{}
	logs := logging.Flags{Format: logging.Text}
	cmd := &cobra.Command{
		Use:    "simulator",
		Short:  "Serve the cloud of 'marina up'",
		Hidden: true,
		Args:   arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Log, err = logs.New(cmd); err != nil {
				return err
			}
			return Run(cmd.Context(), o)
		},
	}
	cmd.Flags().AddFlagSet(newFlags(&o))
	logs.AddTo(cmd)
	return cmd
}

// newFlags are those of Args.
func newFlags(o *Options) *pflag.FlagSet {
	flags := pflag.NewFlagSet("simulator", pflag.ContinueOnError)
	flags.StringVar(&o.Listen, "listen", "", "Address to serve at.")
	flags.StringVar(&o.DataDir, "data-dir", "", "Folder that the cloud is kept in.")
	flags.StringVar(&o.BinDir, "bin-dir", "", "Folder of the Kubernetes programs.")
	flags.StringVar(&o.Accounts, "accounts", "", "Folder with a password for each project.")
	flags.StringSliceVar(&o.Kubernetes, "kubernetes", nil, "Versions that there are images of, for example v1.37.1.")
	flags.StringVar(&o.Containers.Engine, "engine", "", "Where the Docker engine listens that servers are containers of.")
	flags.StringToStringVar(&o.Containers.Images, "node-image", nil, "Container image of a version, for example v1.37.1=node:v1.37.1.")
	return flags
}

// shutdown is how long nodes may take to end.
const shutdown = 20 * time.Second

// Run serves the cloud until the context ends, which switches its servers off. When the
// process is killed they live on, and the next one goes on with them.
func Run(ctx context.Context, o Options) error {
	s, err := start(ctx, o)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return s.stop(context.WithoutCancel(ctx))
}

// served is a cloud that may be asked.
type served struct {
	cloud  *openstacksim.Simulator
	driver driver
}

// driver is a nova.Driver whose servers outlive the process. Keep ends those that the
// cloud does not know, and one of Leave and Shutdown comes last.
type driver interface {
	nova.Driver
	Keep(ctx context.Context, servers []string) error
	Leave() error
	Shutdown(ctx context.Context) error
}

func newDriver(o Options) (driver, error) {
	if len(o.Containers.Images) > 0 {
		return container.New(container.Options{Dir: o.DataDir, Engine: o.Containers.Engine, Images: o.Containers.Images, Log: o.Log})
	}
	return hollow.New(hollow.Options{Dir: o.DataDir, BinDir: o.BinDir, Log: o.Log})
}

// CheckDriver refuses to go on with a cloud's servers as containers if they are hollow
// nodes, and the other way round: they would join anew, with tokens that have ended.
func CheckDriver(dataDir string, containers bool) error {
	other, do := container.Folder, "start with the --node-image of before, and delete the node pools first"
	if containers {
		other, do = hollow.Folder, "start without --node-image, and delete the node pools first"
	}
	servers, err := os.ReadDir(filepath.Join(dataDir, other))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(servers) > 0 {
		return failure.New(do, "the simulated cloud has servers of the other kind: %d in %s", len(servers), filepath.Join(dataDir, other))
	}
	return nil
}

func start(ctx context.Context, o Options) (*served, error) {
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, err
	}
	driver, err := newDriver(o)
	if err != nil {
		return nil, err
	}
	cloud, err := serve(ctx, o, driver)
	if err != nil {
		return nil, errors.Join(err, driver.Leave())
	}
	o.Log.Info("the simulated cloud is served", "authURL", cloud.AuthURL())
	return &served{cloud, driver}, nil
}

// stop switches all servers off.
func (s *served) stop(ctx context.Context) error {
	s.cloud.Close()
	ctx, cancel := context.WithTimeout(ctx, shutdown)
	defer cancel()
	return s.driver.Shutdown(ctx)
}

func serve(ctx context.Context, o Options, driver driver) (*openstacksim.Simulator, error) {
	var failed error
	cloud, err := openstacksim.Start(openstacksim.Options{
		Listen: o.Listen, Driver: driver, File: filepath.Join(o.DataDir, "cloud.json"),
		Failed: func(err error) { o.Log.Error("what has changed in the cloud would be lost", "error", err) },
		Begin: func(cloud *openstacksim.Simulator) {
			failed = errors.Join(offer(cloud, o), driver.Keep(ctx, cloud.Servers()))
		},
	})
	if err == nil && failed != nil {
		cloud.Close()
		err = fmt.Errorf("preparing the cloud: %w", failed)
	}
	return cloud, err
}
