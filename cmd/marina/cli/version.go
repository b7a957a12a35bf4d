package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/buildinfo"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// serverTime is how long 'marina version' waits for a server, which is only half
// of the answer.
const serverTime = 3 * time.Second

// versions is the output of 'marina version' for programs: only ever added to.
type versions struct {
	Client clientVersion  `json:"client"`
	Server *serverVersion `json:"server,omitempty"`
	// ServerError is why there is no Server.
	ServerError string `json:"serverError,omitempty"`
}

type clientVersion struct {
	buildinfo.Info `json:",inline"`
	// Releases are built in, newest first.
	Releases []string `json:"releases"`
}

type serverVersion struct {
	Address    string `json:"address"`
	Kubernetes string `json:"kubernetes"`
	// Releases are on offer, newest first.
	Releases []string `json:"releases"`
}

func newVersion(open session.Opener) *cobra.Command {
	var clientOnly bool
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the versions of this binary and of the management cluster",
		Args:  arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.Check(format, output.YAML, output.JSON); err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			releases, err := buildinfo.Releases()
			if err != nil {
				return err
			}
			v := versions{Client: clientVersion{Info: buildinfo.Get(), Releases: releases}}
			if !clientOnly {
				v.Server, err = askServer(cmd, open)
				if err != nil {
					v.ServerError = failure.Explain(err).Message
				}
				if cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
			}
			return v.print(cmd.OutOrStdout(), format)
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "only this binary's; no request is made")
	cmd.Flags().StringVarP(&format, "output", "o", "", "json or yaml")
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.JSON, output.YAML))
	return cmd
}

func askServer(cmd *cobra.Command, open session.Opener) (*serverVersion, error) {
	s, err := open(cmd)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), serverTime)
	defer cancel()
	d, err := discovery.NewDiscoveryClientForConfig(s.Config)
	if err != nil {
		return nil, err
	}
	kubernetes, err := d.ServerVersionWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s gives no answer within %s", s.Config.Host, serverTime)
	}
	if err != nil {
		return nil, err
	}
	var list v1alpha1.KubernetesReleaseList
	if err := s.Client.List(ctx, &list); err != nil {
		return nil, err
	}
	return &serverVersion{Address: s.Config.Host, Kubernetes: kubernetes.GitVersion, Releases: session.NewestFirst(&list)}, nil
}

func (v versions) print(w io.Writer, format string) error {
	switch format {
	case output.JSON:
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", data)
		return err
	case output.YAML:
		data, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Client:\t%s\n", v.Client.describe())
	fmt.Fprintf(t, "Built-in releases:\t%s\n", strings.Join(v.Client.Releases, ", "))
	if v.Server != nil {
		fmt.Fprintf(t, "Server:\tKubernetes %s at %s\n", v.Server.Kubernetes, v.Server.Address)
		fmt.Fprintf(t, "Offered releases:\t%s\n", cmp.Or(strings.Join(v.Server.Releases, ", "), "none"))
	}
	if v.ServerError != "" {
		fmt.Fprintf(t, "Server:\tunknown: %s\n", v.ServerError)
	}
	return t.Flush()
}

// describe is the version with what it was built from and with.
func (c clientVersion) describe() string {
	details := []string{c.GoVersion, c.Platform}
	if c.Commit != "" {
		commit := fmt.Sprintf("commit %.12s", c.Commit)
		if c.Modified {
			commit += " with changes"
		}
		details = append([]string{commit}, details...)
	}
	return fmt.Sprintf("%s (%s)", c.Version, strings.Join(details, ", "))
}
