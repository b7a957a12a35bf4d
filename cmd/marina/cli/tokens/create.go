// Package tokens holds 'marina token create', which lets a machine join a cluster.
package tokens

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/ttl"
	"github.com/marina-dev/marina/controlplane/join"
	"github.com/marina-dev/marina/pkg/kubeconfig"
)

// Formats of -o.
const (
	formatKubeconfig  = "kubeconfig"
	formatToken       = "token"
	formatJoinCommand = "join-command"
)

type createOptions struct {
	node   string
	ttl    time.Duration
	output string
}

// NewCreate is 'marina token create'.
func NewCreate(open session.Opener) *cobra.Command {
	o := &createOptions{}
	cmd := &cobra.Command{
		Use:   "create CLUSTER",
		Short: "Create a token with which a node joins a cluster",
		Long: `Create a bootstrap token with which a node joins a cluster.

It is printed as a bootstrap kubeconfig, which a kubelet takes with
--bootstrap-kubeconfig. With --node the token makes the node of that name and no
other; without, whoever has it can add nodes until it ends.`,
		Example: `  marina token create demo --node worker-1 > bootstrap.kubeconfig
  marina token create demo --ttl 1h -o join-command`,
		Args: arguments.Named("CLUSTER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.Check(o.output, formatKubeconfig, formatToken, formatJoinCommand); err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd, s, args[0])
		},
		ValidArgsFunction: session.CompleteClusters(open, 1),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.node, "node", "", "`name` of the only node that may join with it")
	ttl.Var(flags, &o.ttl, "ttl", join.DefaultTokenTTL, "how long it is valid, such as 30m or 12h")
	flags.StringVarP(&o.output, "output", "o", formatKubeconfig, "kubeconfig, token or join-command (of kubeadm)")
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(formatKubeconfig, formatToken, formatJoinCommand))
	return cmd
}

func (o *createOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	cluster, err := s.Cluster(ctx, name)
	if err != nil {
		return err
	}
	now := time.Now()
	tenant, err := openTenant(ctx, s, cluster, now)
	if err != nil {
		return err
	}
	token, err := join.CreateToken(ctx, tenant.client, join.TokenRequest{
		TTL:         o.ttl,
		NodeName:    o.node,
		Description: "created by marina token create",
	}, now, rand.Reader)
	if err != nil {
		return tenant.explain(err)
	}
	text, err := o.format(tenant.cluster, token)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(cmd.OutOrStdout(), text); err != nil {
		return err
	}
	whom := "any node"
	if o.node != "" {
		whom = fmt.Sprintf("node %q only", o.node)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Token %s for %s, valid until %s (%s)\n", token.ID, whom,
		token.Expires.Local().Format("2006-01-02 15:04 MST"), ttl.About(token.Expires.Sub(now)))
	return nil
}

// format writes the token in the form asked for.
func (o *createOptions) format(cluster *api.Cluster, token join.Token) (string, error) {
	switch o.output {
	case formatToken:
		return token.Value() + "\n", nil
	case formatJoinCommand:
		return o.joinCommand(cluster, token)
	default:
		data, err := kubeconfig.Encode(kubeconfig.Bootstrap(cluster.Server, cluster.CertificateAuthorityData, token.Value()))
		return string(data), err
	}
}

func (o *createOptions) joinCommand(cluster *api.Cluster, token join.Token) (string, error) {
	server, err := url.Parse(cluster.Server)
	if err != nil {
		return "", err
	}
	hash, err := join.CACertHash(cluster.CertificateAuthorityData)
	if err != nil {
		return "", err
	}
	command := []string{"kubeadm", "join", server.Host, "--token", token.Value(), "--discovery-token-ca-cert-hash", hash}
	if o.node != "" {
		command = append(command, "--node-name", o.node)
	}
	return strings.Join(command, " ") + "\n", nil
}
