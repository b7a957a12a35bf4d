package infrastructures

import (
	"cmp"
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/dataplane/infrastructure"
	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// maxFile is how much is read of a clouds.yaml.
const maxFile = 1 << 20

type checkOptions struct {
	credentials, cloudsYAML, output string
	timeout                         time.Duration
}

// newCheck is 'marina infrastructure check'.
func newCheck(open session.Opener, pool *openstack.Pool) *cobra.Command {
	o := &checkOptions{}
	cmd := &cobra.Command{
		Use:   "check NAME",
		Short: "Check whether a cloud has what clusters need",
		Long: `Check whether a cloud has what clusters need, and say what to do about what it has not.

This machine logs in to the cloud and looks: at services, networks, images, flavors,
roles, quotas, load balancers and volumes. It changes nothing. The credentials are those
of the infrastructure, or with --credentials or --clouds-yaml those of a project in which
there are to be nodes, which need more. In a clouds.yaml the cloud is called openstack.

It exits with 1 if anything has failed.`,
		Example: `  marina infrastructure check paris
  marina infrastructure check paris --credentials team-a/my-openstack
  marina infrastructure check paris --clouds-yaml ~/.config/openstack/clouds.yaml -o json`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.run(cmd, s, pool, args[0])
		},
		ValidArgsFunction: session.CompleteInfrastructures(open, 1),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.credentials, "credentials", "", "`namespace/secret` with the clouds.yaml of a project")
	flags.StringVar(&o.cloudsYAML, "clouds-yaml", "", "clouds.yaml `file` of a project")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long it may take in all")
	flags.StringVarP(&o.output, "output", "o", "", "json or yaml")
	_ = cmd.MarkFlagFilename("clouds-yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.JSON, output.YAML))
	return cmd
}

func (o *checkOptions) check(cmd *cobra.Command) error {
	if err := output.Check(o.output, output.JSON, output.YAML); err != nil {
		return failure.Usage(cmd.CommandPath(), "%v", err)
	}
	if o.credentials != "" && o.cloudsYAML != "" {
		return failure.Usage(cmd.CommandPath(), "--credentials and --clouds-yaml exclude each other")
	}
	if o.timeout <= 0 {
		return failure.Usage(cmd.CommandPath(), "--timeout must be more than nothing")
	}
	namespace, name, ok := strings.Cut(o.credentials, "/")
	if o.credentials != "" && (!ok || namespace == "" || name == "" || strings.Contains(name, "/")) {
		return failure.Usage(cmd.CommandPath(), "--credentials: %q is not written as NAMESPACE/SECRET", o.credentials)
	}
	return nil
}

func (o *checkOptions) run(cmd *cobra.Command, s *session.Session, pool *openstack.Pool, name string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	infra, err := read(ctx, s, name)
	if err != nil {
		return err
	}
	credentials, err := o.read(ctx, s, infra)
	if err != nil {
		return err
	}
	var list v1alpha1.KubernetesReleaseList
	if err := s.Client.List(ctx, &list); err != nil {
		return err
	}
	purpose := infrastructure.Looking
	if o.credentials != "" || o.cloudsYAML != "" {
		purpose = infrastructure.Making
	}
	report := infrastructure.Preflight(ctx, pool, &infra.Spec, credentials, session.NewestFirst(&list), purpose)
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if err := show(cmd.OutOrStdout(), o.output, report); err != nil {
		return err
	}
	return verdict(report)
}

// read reads the credentials that were asked for.
func (o *checkOptions) read(ctx context.Context, s *session.Session, infra *v1alpha1.Infrastructure) (openstack.Credentials, error) {
	where, data, err := o.cloudsFile(ctx, s, infra)
	if err != nil {
		return openstack.Credentials{}, err
	}
	credentials, err := openstack.ParseCloudsYAML(data, v1alpha1.CloudName)
	if err != nil {
		return credentials, failure.New("'marina infrastructure check --help' says what it has to hold", "%s: %v", where, err)
	}
	return credentials, nil
}

func (o *checkOptions) cloudsFile(ctx context.Context, s *session.Session, infra *v1alpha1.Infrastructure) (where string, data []byte, err error) {
	if o.cloudsYAML != "" {
		info, err := os.Stat(o.cloudsYAML)
		if err == nil && info.Size() > maxFile {
			return "", nil, failure.New("name a clouds.yaml", "%s is too large for one", o.cloudsYAML)
		}
		if err == nil {
			data, err = os.ReadFile(o.cloudsYAML)
		}
		if err != nil {
			return "", nil, failure.New("name a clouds.yaml that can be read", "%v", err)
		}
		return o.cloudsYAML, data, nil
	}
	key := client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: infra.Spec.CredentialsRef.Name}
	if namespace, name, ok := strings.Cut(o.credentials, "/"); ok {
		key = client.ObjectKey{Namespace: namespace, Name: name}
	}
	secret := &corev1.Secret{}
	err = s.Client.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		return "", nil, failure.New("create it, with the key "+v1alpha1.CloudsKey+", or name another one with --credentials", "no secret %q in namespace %q", key.Name, key.Namespace)
	}
	if err != nil {
		return "", nil, err
	}
	where = cmp.Or(o.credentials, key.String()) + ", " + v1alpha1.CloudsKey
	if len(secret.Data[v1alpha1.CloudsKey]) == 0 {
		return "", nil, failure.New("add it to the Secret", "secret %s has no %s", key, v1alpha1.CloudsKey)
	}
	return where, secret.Data[v1alpha1.CloudsKey], nil
}
