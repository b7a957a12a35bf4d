package up

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/logging"
)

const description = `Run Marina on this machine: a management API, its controllers, and the
control planes of the clusters that you create.

It needs no root. Everything is kept in one folder, so that you can stop it and
start it again. Ctrl-C, or SIGTERM, stops all clusters and then Marina. When it
is killed the clusters live on, and the next 'marina up' takes them over.`

// NewCommand is 'marina up'.
func NewCommand() *cobra.Command {
	options, err := defaults()
	logs := logging.Flags{Format: logging.Text}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything on this machine",
		Long:  description,
		Example: `  marina up
  marina up --data-dir /srv/marina --port 8443`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err != nil {
				return err
			}
			if options.Log, err = logs.New(cmd); err != nil {
				return err
			}
			return run(cmd, options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.DataDir, "data-dir", options.DataDir, "Folder that everything is kept in. $"+session.EnvDataDir+" sets the default.")
	flags.StringVar(&options.BinDir, "bin-dir", options.BinDir, "Folder of the Kubernetes and etcd programs.")
	flags.IntVar(&options.Port, "port", options.Port, fmt.Sprintf("Port of the management API on %s. The %d ports after it are Marina's too.", address, managementPorts-1))
	flags.Var(&options.Tenants, "port-range", "Ports of the clusters' control planes.")
	flags.StringVar(&options.ExposeAddress, "expose-address", address, "IP address of this machine by which users and nodes reach the clusters' API servers. Servers of a real cloud do not reach 127.0.0.1.")
	flags.StringVar(&options.MetricsAddress, "metrics-address", options.MetricsAddress, `Where the controllers' metrics are served, for example 127.0.0.1:9090; "0" for nowhere.`)
	flags.StringVar(&options.Cloud, "cloud", options.Cloud, "Cloud for nodes: simulator, an OpenStack on this machine whose servers are kubelets without containers; or none, besides those of your own.")
	_ = cmd.RegisterFlagCompletionFunc("cloud", cobra.FixedCompletions([]string{CloudSimulator, CloudNone}, cobra.ShellCompDirectiveNoFileComp))
	flags.StringSliceVar(&options.NodeImages, "node-image", nil, "Have the simulator's servers be containers of this image, in a Docker engine, in which pods run. Once for each Kubernetes version.")
	logs.AddTo(cmd)
	_ = cmd.MarkFlagDirname("data-dir")
	_ = cmd.MarkFlagDirname("bin-dir")
	return cmd
}

// run starts Marina, and stops it when the command's context ends: at the first
// signal. The second one ends the process, and leaves what it runs behind.
func run(cmd *cobra.Command, options Options) error {
	ctx := cmd.Context()
	started := context.AfterFunc(ctx, func() {
		fmt.Fprintln(cmd.OutOrStdout(), "Stopping what has been started. Press Ctrl-C again to leave it running.")
	})
	running, err := Start(ctx, options)
	started()
	if err != nil {
		if ctx.Err() != nil {
			return interrupted(ctx)
		}
		return err
	}
	fmt.Fprint(cmd.OutOrStdout(), running.summary())
	select {
	case err := <-running.Failed():
		return failed(running.management.dir, err)
	case <-ctx.Done():
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Stopping the clusters, then Marina. Press Ctrl-C again to leave them running.")
	return running.Stop(context.WithoutCancel(ctx))
}

// interrupted is the outcome of a start that a signal has ended. A supervisor that
// sends SIGTERM gets what it wants; a person who presses Ctrl-C does not have what was
// begun.
func interrupted(ctx context.Context) error {
	if strings.HasPrefix(context.Cause(ctx).Error(), syscall.SIGTERM.String()) {
		return nil
	}
	return failure.Interrupted("")
}

// failed explains why a Marina that has run cannot go on.
func failed(d dataDir, err error) error {
	const again = "start it again: the clusters live on, and it takes them over"
	if explained := diskFailure(d, err); explained != nil {
		explained.Do += "; the clusters live on, and it takes them over"
		return explained
	}
	return &failure.Error{Message: err.Error(), Do: again, Err: err}
}

// cloudSummary tells where clusters may have nodes.
func (r *Running) cloudSummary() string {
	if r.cloud == nil || r.cloud.authURL == "" {
		return ""
	}
	return fmt.Sprintf("  Cloud           %s  (simulated: infrastructure %s, credentials in Secret default/%s)\n", r.cloud.authURL, nameInfrastructure, CloudSimulator)
}

// summary tells a person what runs, and what to do next.
func (r *Running) summary() string {
	d := r.management.dir
	hint := ""
	// Another terminal does not know what is set in this one.
	elsewhere := func(name string) string {
		if name == session.EnvDataDir {
			return ""
		}
		return os.Getenv(name)
	}
	if home, err := os.UserHomeDir(); err != nil || session.DataDir(elsewhere, home) != string(d) {
		hint = fmt.Sprintf("  export %s=%s\n", session.EnvDataDir, d)
	}
	return fmt.Sprintf(`Marina is ready.

  Management API  %s  (Kubernetes %s)
  Data            %s
  Logs            %s
%s
In another terminal:

%s  marina cluster create demo
  export KUBECONFIG=%s    # for kubectl, on the management API

Ctrl-C stops the clusters and Marina; both come back with the next 'marina up'.
`,
		r.management.inputs.server, r.management.inputs.kubernetes, d,
		filepath.Join(string(d), "{logs,management,tenants}"),
		r.cloudSummary(),
		hint, d.kubeconfig())
}
