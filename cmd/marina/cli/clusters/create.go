package clusters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

type createOptions struct {
	version, hostingClass string
	podCIDR, serviceCIDR  string
	certSANs              []string

	wait    bool
	timeout time.Duration
	dryRun  dryrun.Flag
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
			ctx, cancel := waiting.Limit(cmd.Context(), o.timeout)
			defer cancel()
			return o.run(ctx, cmd, s, args[0])
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
	waiting.TimeoutFlag(cmd, &o.timeout)
	o.dryRun.AddTo(cmd, "none, client (only print it) or server (have it checked, create nothing)", dryrun.Client, dryrun.Server)
	flags.StringVarP(&o.output, "output", "o", "", "print the cluster as yaml, json or name")
	_ = cmd.RegisterFlagCompletionFunc("version", session.CompleteVersions(open))
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.YAML, output.JSON, output.Name))
	return cmd
}

func (o *createOptions) check(cmd *cobra.Command) error {
	if err := o.dryRun.Check(cmd, o.wait); err != nil {
		return err
	}
	if err := output.Check(o.output, output.YAML, output.JSON, output.Name); err != nil {
		return failure.Usage(cmd.CommandPath(), "%v", err)
	}
	return waiting.CheckTimeout(cmd, o.timeout)
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
	if o.dryRun.Mode != dryrun.Client {
		if err := s.Client.Create(ctx, cluster, o.dryRun.Create()...); err != nil {
			return err
		}
	}
	if !o.wait {
		if err := o.print(cmd, cluster, "created"+o.dryRun.Suffix()); err != nil {
			return err
		}
		if o.dryRun.Mode == dryrun.None && o.output == "" {
			progress.Advise(cmd.ErrOrStderr(), "Next: marina cluster wait %s", session.Ref(client.ObjectKeyFromObject(cluster)))
		}
		return nil
	}
	return o.awaitReady(ctx, cmd, s, cluster)
}

// awaitReady prints the object, if it is asked for, as it is when the waiting is over:
// its address stands in it only once it is ready.
func (o *createOptions) awaitReady(ctx context.Context, cmd *cobra.Command, s *session.Session, cluster *v1alpha1.Cluster) error {
	if o.output == "" {
		if err := o.print(cmd, cluster, "created"); err != nil {
			return err
		}
	}
	key := client.ObjectKeyFromObject(cluster)
	p := progress.New(cmd.ErrOrStderr(), cluster.Name)
	last, err := await(ctx, s.Client, key, wish{
		goal:     untilReady,
		timeout:  o.timeout,
		followUp: fmt.Sprintf("it goes on being created: 'marina cluster wait %s' waits on", session.Ref(key)),
	}, p)
	if err != nil {
		if o.output != "" && last != nil {
			err = errors.Join(o.print(cmd, last, ""), err)
		}
		return err
	}
	if err := o.print(cmd, last, "is ready"+waiting.After(p.Elapsed())); err != nil {
		return err
	}
	progress.Advise(cmd.ErrOrStderr(), "Next: marina kubeconfig get %s", session.Ref(key))
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
