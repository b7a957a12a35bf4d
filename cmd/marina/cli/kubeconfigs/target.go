package kubeconfigs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/kubeconfig"
)

// target is the file that a kubeconfig is merged into.
type target struct {
	path string
	// instead is true when $KUBECONFIG names no other file than that of 'marina up'.
	instead bool
}

// target is the file of -o, or the one that kubectl would read first.
//
// It is never the one that 'marina up' writes, which many have in $KUBECONFIG to
// use kubectl on the management cluster: what is merged into it would be gone with
// the next start, and until then marina would take the tenant for the management
// cluster.
func (o *getOptions) target(getenv func(string) string) (target, error) {
	// Without a home directory, as in many containers, -o and $KUBECONFIG do.
	home, homeErr := os.UserHomeDir()
	reserved := filepath.Clean(session.UpKubeconfig(getenv, home))
	isReserved := func(path string) bool { return path != "" && filepath.Clean(path) == reserved }
	if o.output != "" {
		if isReserved(o.output) {
			return target{}, failure.New("choose another file with -o",
				"%s is the kubeconfig of the management cluster, which 'marina up' writes anew at each start", o.output)
		}
		return target{path: o.output}, nil
	}
	listed := filepath.SplitList(getenv(clientcmd.RecommendedConfigPathEnvVar))
	free := slices.DeleteFunc(slices.Clone(listed), func(path string) bool { return path == "" || isReserved(path) })
	if len(free) == 0 && homeErr != nil {
		return target{}, failure.New("choose a file with -o", "there is no home directory to keep a kubeconfig in: %v", homeErr)
	}
	env := func(string) string { return strings.Join(free, string(os.PathListSeparator)) }
	return target{
		path:    kubeconfig.DefaultPath(env, home),
		instead: len(free) == 0 && slices.ContainsFunc(listed, isReserved),
	}, nil
}
