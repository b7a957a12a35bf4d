// Package session opens the management cluster for a command: it finds the
// kubeconfig, reads it and makes the clients.
//
// It knows nothing of what the commands do.
package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/buildinfo"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

const startIt = "start a management cluster with 'marina up', or name the kubeconfig of another one with --kubeconfig or $" + EnvKubeconfig

// Session is the management cluster as one command sees it.
type Session struct {
	// Client reads and writes objects.
	Client client.WithWatch
	// Config is for requests that Client cannot make, such as for tables.
	Config *rest.Config
	// Namespace is the one asked for, or that of the context.
	Namespace string
	// Location is where the kubeconfig was found, and Context the context in it.
	Location Location
	Context  string
}

// Opener opens the management cluster for a command.
type Opener func(*cobra.Command) (*Session, error)

// Flags are the global flags.
type Flags struct {
	kubeconfig, context, namespace string
}

// AddTo defines the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `file` of the management cluster")
	flags.StringVar(&f.context, "context", "", "`context` to use in that kubeconfig")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "`namespace` (project) of the cluster")
}

// Open is the Opener that follows the flags. It makes no request.
func (f *Flags) Open(cmd *cobra.Command) (*Session, error) {
	quiet()
	config, location, err := f.read()
	if err != nil {
		return nil, err
	}
	contextName := config.CurrentContext
	if f.context != "" {
		contextName = f.context
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: contextName}
	overrides.Context.Namespace = f.namespace
	loader := clientcmd.NewDefaultClientConfig(*config, overrides)

	restConfig, err := loader.ClientConfig()
	if err != nil {
		return nil, f.unusable(err, location, contextName)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, f.unusable(err, location, contextName)
	}
	// The CLI asks a few times in a row and never for long: client-go's limit, made
	// for controllers, would only make it wait.
	restConfig.QPS, restConfig.Burst = -1, -1
	restConfig.UserAgent = "marina/" + buildinfo.Get().Version
	restConfig.WarningHandler = rest.NewWarningWriter(cmd.ErrOrStderr(), rest.WarningWriterOptions{Deduplicate: true})
	failure.Reach(restConfig, failure.Unreachable{
		What:       "the management cluster",
		Kubeconfig: strings.Join(location.Paths, string(os.PathListSeparator)),
		Do:         startIt,
		DoIfSilent: failure.StartAgain,
	})
	c, err := newClient(restConfig)
	if err != nil {
		return nil, err
	}
	return &Session{Client: c, Config: restConfig, Namespace: namespace, Location: location, Context: contextName}, nil
}

// Read reads the object of a name in the session's namespace; missing is the error when
// there is none.
func (s *Session) Read(ctx context.Context, name string, object client.Object, missing func(client.ObjectKey) *failure.Error) error {
	key := client.ObjectKey{Namespace: s.Namespace, Name: name}
	err := s.Client.Get(ctx, key, object)
	if apierrors.IsNotFound(err) && !failure.NotServed(err) {
		none := missing(key)
		none.Err = err
		return none
	}
	return err
}

// read loads the kubeconfig from where Locate finds it.
func (f *Flags) read() (*api.Config, Location, error) {
	// Without a home directory, as in many containers, a kubeconfig can be named.
	home, _ := os.UserHomeDir()
	location := Locate(f.kubeconfig, os.Getenv, home)
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: location.Paths, WarnIfAllMissing: false}
	if location.Asked {
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: location.Paths[0]}
	}
	config, err := rules.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, location, failure.New(startIt, "there is no file %s", location)
	}
	if err != nil {
		return nil, location, failure.New("correct the file, or name another one with --kubeconfig", "%v", err)
	}
	if len(config.Clusters) == 0 {
		return nil, location, failure.New(startIt, "no management cluster is known: there is none in %s", searched(location))
	}
	return config, location, nil
}

// searched are the places without a management cluster. A data folder that somebody
// has named is one of them, although nothing has been found in it.
func searched(location Location) string {
	dir := os.Getenv(EnvDataDir)
	if dir == "" || location.Asked || location.Has(UpKubeconfig(os.Getenv, "")) {
		return location.String()
	}
	return fmt.Sprintf("the folder %s (from $%s), nor in %s", dir, EnvDataDir, location)
}

// unusable is a kubeconfig that can be read and does not lead to a cluster.
func (f *Flags) unusable(err error, location Location, contextName string) error {
	return &failure.Error{
		Message: fmt.Sprintf("context %q of %s cannot be used: %v", contextName, location, err),
		Do:      "choose another context with --context, or another kubeconfig with --kubeconfig",
		Err:     err,
	}
}

// quiet silences the loggers of the libraries. A command's errors are what it
// returns; what client-go logs besides is for developers of controllers.
func quiet() {
	klog.SetLogger(logr.Discard())
	ctrllog.SetLogger(logr.Discard())
}
