package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/marina-dev/marina/cmd/marina/cli/buildinfo"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/controllers"
	"github.com/marina-dev/marina/cmd/marina/logging"
	"github.com/marina-dev/marina/controlplane/host/kubernetes"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Lease is the name of the Lease, in v1alpha1.SystemNamespace, of the manager that
// works.
const Lease = "marina-manager"

// Options are what a manager is told.
type Options struct {
	// Kubeconfig of the management cluster; empty is the one that this runs in.
	Kubeconfig string
	// MetricsAddress and HealthAddress are where they are served; "0" is nowhere.
	MetricsAddress, HealthAddress string
	// ImageTag is that of Marina's own image, which also takes snapshots of etcd; empty
	// is the version of this binary.
	ImageTag string
	Log      *slog.Logger
}

// Run runs a manager until ctx ends, and gives its Lease back. A manager that has lost
// the Lease ends with an error: another one works by then.
//
// Logs of libraries go to options.Log, for the whole process.
func Run(ctx context.Context, options Options) error {
	logging.RouteLibraries(options.Log)
	config, err := options.config()
	if err != nil {
		return failure.New("run it in a pod with a service account, or name a kubeconfig with --kubeconfig", "there is no management cluster: %v", err)
	}
	mgr, err := New(ctx, config, options)
	if err != nil {
		return explain(err)
	}
	return explain(mgr.Start(ctx))
}

// config reaches the management cluster. It sets no limit of its own on requests: the
// API server's priority and fairness knows better what it can bear.
func (o Options) config() (*rest.Config, error) {
	if o.Kubeconfig == "" {
		config, err := rest.InClusterConfig()
		return unlimited(config), err
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	return unlimited(config), err
}

func unlimited(config *rest.Config) *rest.Config {
	if config != nil {
		config.QPS = -1
	}
	return config
}

// New makes a manager with all controllers. It does not start it.
func New(ctx context.Context, config *rest.Config, options Options) (ctrl.Manager, error) {
	scheme, err := controllers.Scheme()
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.UserAgent = "marina-manager"
	mgr, err := ctrl.NewManager(config, managerOptions(controllers.Options(scheme, options.Log, kubernetes.Kinds()...), options))
	if err != nil {
		return nil, err
	}
	tenants, err := newHost(mgr)
	if err != nil {
		return nil, err
	}
	if err := controllers.Setup(ctx, mgr, tenants, cmp.Or(options.ImageTag, buildinfo.Get().Version)); err != nil {
		return nil, err
	}
	return mgr, errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("caches", synced(mgr.GetCache())),
	)
}

func managerOptions(base ctrl.Options, options Options) ctrl.Options {
	base.LeaderElection = true
	base.LeaderElectionID, base.LeaderElectionNamespace = Lease, v1alpha1.SystemNamespace
	// Who ends on purpose hands over at once. It is safe because the process ends with
	// the manager: nothing of it works on without the Lease.
	base.LeaderElectionReleaseOnCancel = true
	base.HealthProbeBindAddress = options.HealthAddress
	base.Metrics = server.Options{
		BindAddress:    options.MetricsAddress,
		SecureServing:  true,
		FilterProvider: filters.WithAuthenticationAndAuthorization,
	}
	return base
}

// readyWithin limits how long a probe waits for caches.
const readyWithin = time.Second

// synced is ready once the caches are filled. One that stands by has some as well, so
// that a new version which may not read, or finds kinds that it does not know, does not
// become ready and takes the place of nothing.
func synced(caches cache.Cache) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), readyWithin)
		defer cancel()
		if !caches.WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}

// explain says of an error of a manager what to do about it.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return failure.New("apply the CRDs of this version first: kubectl apply --server-side -f manifests/crds", "%v", err)
	default:
		return fmt.Errorf("the manager has ended: %w", err)
	}
}
