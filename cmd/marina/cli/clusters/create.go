package clusters

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// fieldOwner differs from v1alpha1.FieldOwner, the controllers': kubectl shows who
// set a field.
const fieldOwner = client.FieldOwner("marina-cli")

// Values of --dry-run, with kubectl's meaning.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

type createOptions struct {
	version, hostingClass string
	podCIDR, serviceCIDR  string
	certSANs              []string

	wait    bool
	timeout time.Duration
	dryRun  string
	output  string
}

func newCreate(open session.Opener) *cobra.Command {
	o := &createOptions{}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a cluster",
		Long: `Create a cluster.

Everything but the name has a default; the version is the newest that the
platform offers. With --wait the command returns when a kubeconfig that is handed
out works and nodes can join.`,
		Example: `  marina cluster create demo --wait
  marina cluster create demo --version 1.37.1-1 --pod-cidr 10.100.0.0/16
  marina cluster create demo --dry-run=client -o yaml > demo.yaml`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd, s, args[0])
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.version, "version", "", "`release` to run, such as 1.37.1-1 (default: the newest on offer)")
	flags.StringVar(&o.hostingClass, "hosting-class", "default", "`name` of the hosting class: how the platform runs the control plane")
	flags.StringVar(&o.podCIDR, "pod-cidr", "", "address `range` of pods (default: 10.244.0.0/16)")
	flags.StringVar(&o.serviceCIDR, "service-cidr", "", "address `range` of services (default: 10.96.0.0/16)")
	flags.StringSliceVar(&o.certSANs, "cert-san", nil, "further DNS `name` or IP address that the API server's certificate is valid for; repeatable")
	flags.BoolVar(&o.wait, "wait", false, "wait until the cluster is ready")
	timeoutFlag(cmd, &o.timeout)
	flags.StringVar(&o.dryRun, "dry-run", dryRunNone, "none, client (only print it) or server (have it checked, create nothing)")
	flags.StringVarP(&o.output, "output", "o", "", "print the cluster as yaml, json or name")
	_ = cmd.RegisterFlagCompletionFunc("version", session.CompleteVersions(open))
	_ = cmd.RegisterFlagCompletionFunc("dry-run", session.CompleteFixed(dryRunNone, dryRunClient, dryRunServer))
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.YAML, output.JSON, output.Name))
	return cmd
}

func (o *createOptions) check(cmd *cobra.Command) error {
	switch o.dryRun {
	case dryRunNone, dryRunClient, dryRunServer:
	default:
		return failure.Usage(cmd.CommandPath(), "--dry-run: %q is not known: choose none, client or server", o.dryRun)
	}
	if o.wait && o.dryRun != dryRunNone {
		return failure.Usage(cmd.CommandPath(), "--wait and --dry-run=%s exclude each other: nothing is created that could be waited for", o.dryRun)
	}
	if err := output.Check(o.output, output.YAML, output.JSON, output.Name); err != nil {
		return failure.Usage(cmd.CommandPath(), "%v", err)
	}
	return checkTimeout(cmd, o.timeout)
}

// cluster is what the flags ask for. What they leave out is left to the API's
// defaults.
func (o *createOptions) cluster(namespace, name, version string) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ClusterSpec{
			Version:         version,
			HostingClassRef: v1alpha1.LocalReference{Name: o.hostingClass},
			Network:         v1alpha1.NetworkSpec{PodCIDR: o.podCIDR, ServiceCIDR: o.serviceCIDR},
			Access:          v1alpha1.AccessSpec{CertSANs: o.certSANs},
		},
	}
}

func (o *createOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	version := o.version
	if version == "" {
		var err error
		if version, err = session.NewestVersion(ctx, s.Client); err != nil {
			return err
		}
	}
	cluster := o.cluster(s.Namespace, name, version)
	done := "created"
	switch o.dryRun {
	case dryRunClient:
		return o.print(cmd, cluster, "created (dry run)")
	case dryRunServer:
		done = "created (server dry run)"
		if err := s.Client.Create(ctx, cluster, fieldOwner, client.DryRunAll); err != nil {
			return err
		}
	default:
		if err := s.Client.Create(ctx, cluster, fieldOwner); err != nil {
			return err
		}
	}
	if !o.wait {
		if err := o.print(cmd, cluster, done); err != nil {
			return err
		}
		if o.dryRun == dryRunNone && o.output == "" {
			advise(cmd, "Next: marina cluster wait %s", ref(client.ObjectKeyFromObject(cluster)))
		}
		return nil
	}
	return o.awaitReady(ctx, cmd, s, cluster)
}

// awaitReady prints the object, if it is asked for, once it is ready: its address
// stands in it only then.
func (o *createOptions) awaitReady(ctx context.Context, cmd *cobra.Command, s *session.Session, cluster *v1alpha1.Cluster) error {
	if o.output == "" {
		if err := o.print(cmd, cluster, "created"); err != nil {
			return err
		}
	}
	key := client.ObjectKeyFromObject(cluster)
	p := progress.New(cmd.ErrOrStderr(), cluster.Name)
	ctx, cancel := limit(ctx, o.timeout)
	defer cancel()
	ready, err := await(ctx, s.Client, key, wish{
		goal:     untilReady,
		timeout:  o.timeout,
		followUp: fmt.Sprintf("it goes on being created: 'marina cluster wait %s' waits on", ref(key)),
	}, p)
	if err != nil {
		return err
	}
	if err := o.print(cmd, ready, "is ready"+after(p.Elapsed())); err != nil {
		return err
	}
	advise(cmd, "Next: marina kubeconfig get %s", ref(key))
	return nil
}

func (o *createOptions) print(cmd *cobra.Command, cluster *v1alpha1.Cluster, what string) error {
	if o.output == "" {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "cluster %q %s\n", cluster.Name, what)
		return err
	}
	u, err := output.Manifest(cluster, session.Scheme)
	if err != nil {
		return err
	}
	return output.Object(cmd.OutOrStdout(), o.output, resource, u)
}
