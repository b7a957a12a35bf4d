package clusters

import (
	"context"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

type createOptions struct {
	version, hostingClass string
	podCIDR, serviceCIDR  string
	certSANs              []string

	infrastructure, credentials string
	nodeCIDR                    string

	window, autoUpgrade string

	creation *lifecycle.Creation[*v1alpha1.Cluster]
}

func newCreate(open session.Opener) *cobra.Command {
	o := &createOptions{creation: lifecycle.NewCreation(kind)}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a cluster",
		Long: `Create a cluster.

Everything but the name has a default; the version is the newest that the
platform offers. With --wait the command returns when a kubeconfig that is handed
out works and nodes can join.

In an infrastructure nothing is made before the cluster has a node pool: create a
NodePool with spec.clusterRef.name NAME, which may have 0 replicas.`,
		Example: `  marina cluster create demo --wait
  marina cluster create demo --version 1.37.1-1 --pod-cidr 10.100.0.0/16
  marina cluster create demo --infrastructure paris --credentials my-openstack
  marina cluster create demo --dry-run=client -o yaml > demo.yaml`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.creation.Check(cmd); err != nil {
				return err
			}
			maintenance, err := o.maintenance()
			if err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := waiting.Limit(cmd.Context(), o.creation.Timeout)
			defer cancel()
			return o.run(ctx, cmd, s, args[0], maintenance)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.version, "version", "", "`release` to run, such as 1.37.1-1 (default: the newest on offer)")
	flags.StringVar(&o.hostingClass, "hosting-class", "default", "`name` of the hosting class: how the platform runs the control plane")
	flags.StringVar(&o.podCIDR, "pod-cidr", "", "address `range` of pods (default: 10.244.0.0/16)")
	flags.StringVar(&o.serviceCIDR, "service-cidr", "", "address `range` of services (default: 10.96.0.0/16)")
	flags.StringVar(&o.infrastructure, "infrastructure", "", "`name` of the infrastructure in which nodes are made (default: none, you bring them)")
	flags.StringVar(&o.credentials, "credentials", "", "`name` of the Secret with your clouds.yaml for it")
	flags.StringVar(&o.nodeCIDR, "node-cidr", "", "address `range` of nodes, with --infrastructure (default: 10.250.0.0/22)")
	flags.StringSliceVar(&o.certSANs, "cert-san", nil, "further DNS `name` or IP address that the API server's certificate is valid for; repeatable")
	flags.StringVar(&o.window, "maintenance-window", "", "`day:hour` in UTC at which Marina may begin upgrades by itself, for two hours, such as Sunday:2 or Any:2")
	flags.StringVar(&o.autoUpgrade, "auto-upgrade", "", "upgrades that begin by themselves in the maintenance window: None or Patch (default: None)")
	o.creation.AddFlags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("version", session.CompleteVersions(open))
	_ = cmd.RegisterFlagCompletionFunc("auto-upgrade", session.CompleteFixed(autoUpgrades...))
	_ = cmd.RegisterFlagCompletionFunc("infrastructure", session.CompleteFlag(session.CompleteInfrastructures(open, 1)))
	return cmd
}

// cluster is what the flags ask for. What they leave out is left to the API's
// defaults.
func (o *createOptions) cluster(namespace, name, version string) *v1alpha1.Cluster {
	ranges := v1alpha1.NetworkSpec{PodCIDR: o.podCIDR, ServiceCIDR: o.serviceCIDR}
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ClusterSpec{
			Version:           version,
			HostingClassRef:   v1alpha1.LocalReference{Name: o.hostingClass},
			InfrastructureRef: reference(o.infrastructure),
			CredentialsRef:    reference(o.credentials),
			Network:           v1alpha1.TenantNetworkSpec{NetworkSpec: ranges, NodeCIDR: o.nodeCIDR},
			Access:            v1alpha1.AccessSpec{CertSANs: o.certSANs},
		},
	}
}

// reference is one to a name, nil to none.
func reference(name string) *v1alpha1.LocalReference {
	if name == "" {
		return nil
	}
	return &v1alpha1.LocalReference{Name: name}
}

// choose is the version that is asked for, or the newest on offer.
func (o *createOptions) choose(ctx context.Context, c client.Reader) (string, error) {
	switch {
	case o.version != "":
		return o.version, nil
	case o.infrastructure != "":
		return session.NewestVersionIn(ctx, c, o.infrastructure)
	default:
		return session.NewestVersion(ctx, c)
	}
}

func (o *createOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, name string, maintenance v1alpha1.MaintenanceSpec) error {
	version, err := o.choose(ctx, s.Client)
	if err != nil {
		return err
	}
	cluster := o.cluster(s.Namespace, name, version)
	cluster.Spec.Maintenance = maintenance
	return o.creation.Create(ctx, cmd, s, cluster)
}
