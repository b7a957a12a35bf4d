package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// marina runs a command line in an empty home directory.
func marina(t testing.TB, args ...string) (code int, out, errOut string) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"KUBECONFIG", session.EnvKubeconfig, session.EnvDataDir, "XDG_DATA_HOME"} {
		t.Setenv(name, "")
	}
	var stdout, stderr bytes.Buffer
	code = Main(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestMistakesOfUsage(t *testing.T) {
	cases := map[string]struct{ args, want string }{
		"UnknownCommand": {
			args: "clustr",
			want: "Error: unknown command \"clustr\" for 'marina'\nWhat to do: perhaps it is 'marina cluster'\n",
		},
		"UnknownSubcommand": {
			args: "token make",
			want: "Error: unknown command \"make\" for 'marina token'\nWhat to do: see 'marina token --help'\n",
		},
		"UnknownFlag": {
			args: "cluster get --foo",
			want: "Error: unknown flag: --foo\nWhat to do: see 'marina cluster get --help'\n",
		},
		"MissingArgument": {
			args: "cluster create",
			want: "Error: NAME is missing: marina cluster create NAME [flags]\nWhat to do: see 'marina cluster create --help'\n",
		},
		"OneArgumentTooMany": {
			args: "kubeconfig get a b",
			want: "Error: unexpected argument \"b\" after NAME\nWhat to do: see 'marina kubeconfig get --help'\n",
		},
		"BadTTL": {
			args: "token create a --ttl soon",
			want: "Error: invalid argument \"soon\" for \"--ttl\" flag: \"soon\" is no duration: write for example 30d, 12h or 90m\nWhat to do: see 'marina token create --help'\n",
		},
		"BadDryRun": {
			args: "cluster create a --dry-run=perhaps",
			want: "Error: --dry-run: \"perhaps\" is not known: choose none, client or server\nWhat to do: see 'marina cluster create --help'\n",
		},
		"WaitForADryRun": {
			args: "cluster create a --dry-run=server --wait",
			want: "Error: --wait and --dry-run=server exclude each other: nothing is done that could be waited for\nWhat to do: see 'marina cluster create --help'\n",
		},
		"ANumberOfNodesThatIsNone": {
			args: "np scale a --replicas many",
			want: "Error: invalid argument \"many\" for \"--replicas\" flag: strconv.ParseInt: parsing \"many\": invalid syntax\nWhat to do: see 'marina nodepool scale --help'\n",
		},
		"AVersionTooMany": {
			args: "cluster upgrade a 1.37.1-1 1.37.1-2",
			want: "Error: unexpected argument \"1.37.1-2\" after NAME VERSION\nWhat to do: see 'marina cluster upgrade --help'\n",
		},
		"AClusterToUpgradeIsMissing": {
			args: "cluster upgrade",
			want: "Error: NAME is missing: marina cluster upgrade NAME [VERSION] [flags]\nWhat to do: see 'marina cluster upgrade --help'\n",
		},
		"ToWaitForNoVersion": {
			args: "cluster upgrade a --wait",
			want: "Error: VERSION is missing: --wait is for an upgrade, and without a version nothing is begun\nWhat to do: see 'marina cluster upgrade --help'\n",
		},
		"ADryRunOfNoVersion": {
			args: "cluster upgrade a --dry-run=server",
			want: "Error: VERSION is missing: --dry-run is for an upgrade, and without a version nothing is begun\nWhat to do: see 'marina cluster upgrade --help'\n",
		},
		"UnknownShell": {
			args: "completion csh",
			want: "Error: unknown command \"csh\" for 'marina completion'\nWhat to do: perhaps it is 'marina completion bash' or 'marina completion fish' or 'marina completion zsh'\n",
		},
		"TwoClustersToList": {
			args: "op ls a b",
			want: "Error: unexpected argument \"b\" after TARGET\nWhat to do: see 'marina operation list --help'\n",
		},
		"ArgumentsOfUp": {
			args: "up extra",
			want: "Error: unexpected argument \"extra\"\nWhat to do: see 'marina up --help'\n",
		},
		"APortOfUpThatIsNone": {
			args: "up --port 70000",
			want: "Error: --port 70000: it and the 9 ports after it must be from 1 to 65535\nWhat to do: choose a --port from 1 to 65526\n",
		},
		"PortsOfUpThatOverlap": {
			args: "up --port-range 7000-8000",
			want: "Error: --port-range 7000-8000 contains ports of the management plane, which uses 7443-7452\nWhat to do: choose another --port or --port-range\n",
		},
		"DeleteAndWaitForADryRun": {
			args: "cluster delete a --dry-run=server --wait",
			want: "Error: --wait and --dry-run=server exclude each other: nothing is done that could be waited for\nWhat to do: see 'marina cluster delete --help'\n",
		},
		"DeleteInAnUnknownFormat": {
			args: "cluster delete a -o yaml",
			want: "Error: -o: unknown format \"yaml\": choose name\nWhat to do: see 'marina cluster delete --help'\n",
		},
		"ArgumentsOfABalancer": {
			args: "balancer x",
			want: "Error: unexpected argument \"x\"\nWhat to do: see 'marina balancer --help'\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := marina(t, strings.Fields(tc.args)...)
			if code != 2 || out != "" {
				t.Errorf("exit code %d and %q on standard output, want 2 and nothing", code, out)
			}
			if diff := cmp.Diff(tc.want, errOut); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoManagementCluster(t *testing.T) {
	for _, args := range []string{"cluster list", "cluster create a", "cluster upgrade a", "cluster restart a", "nodepool list", "np scale a --replicas 1", "nodepools delete a", "op list", "operation retry a", "kubeconfig get a", "token create a", "infra list", "infrastructure check a"} {
		code, _, errOut := marina(t, strings.Fields(args)...)
		if code != 1 || !strings.Contains(errOut, "What to do: start a management cluster with 'marina up'") {
			t.Errorf("marina %s: exit code %d, %q; want 1 and how to start", args, code, errOut)
		}
	}
}

func TestHelpDocumentsTheExitCodes(t *testing.T) {
	code, out, _ := marina(t, "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"Exit codes:\n    0  ", "\n    1  ", "\n    2  ", "\n    3  ", "$MARINA_KUBECONFIG"} {
		if !strings.Contains(out, want) {
			t.Errorf("the help does not hold %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "balancer") {
		t.Error("the help shows the balancer, which nobody types")
	}
}

func TestGlobalFlagsAreShownWhereTheyCount(t *testing.T) {
	for args, want := range map[string]bool{"cluster get --help": true, "up --help": false, "balancer --help": false} {
		if _, out, _ := marina(t, strings.Fields(args)...); strings.Contains(out, "--kubeconfig") != want {
			t.Errorf("marina %s; shows --kubeconfig: %v, want %v", args, !want, want)
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: a line that says what it does, without a full stop, not %q", cmd.CommandPath(), cmd.Short)
		}
		if !cmd.HasSubCommands() && cmd.Args == nil && cmd.ValidArgsFunction == nil {
			t.Errorf("%s takes any arguments and ignores them", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRoot())
}

func TestVersion(t *testing.T) {
	code, out, _ := marina(t, "version", "--client", "-o", "json")
	var v struct {
		Client struct {
			Version, GoVersion, Platform string
			Releases                     []string
		}
		Server any
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if v.Client.Version == "" || v.Client.GoVersion == "" || v.Client.Platform == "" || len(v.Client.Releases) == 0 || v.Server != nil {
		t.Errorf("something is missing or too much:\n%s", out)
	}

	code, out, _ = marina(t, "version")
	if code != 0 || !strings.Contains(out, "Server:             unknown: no management cluster is known") {
		t.Errorf("exit code %d; no server is no failure:\n%s", code, out)
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, out, errOut := marina(t, "completion", shell)
		if code != 0 || errOut != "" || !strings.Contains(out, "marina") || !strings.Contains(out, "__complete") {
			t.Errorf("marina completion %s: exit code %d, %q, %d bytes", shell, code, errOut, len(out))
		}
	}
}
