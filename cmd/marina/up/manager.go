package up

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// newScheme knows all kinds that the managers handle.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// managerStop is how long controllers get to finish their passes.
const managerStop = 10 * time.Second

// managerOptions are those of the one manager.
func managerOptions(scheme *runtime.Scheme, metricsAddress string, log *slog.Logger) ctrl.Options {
	// Of the kinds that others use as well, only our own objects are worth memory:
	// everything that a controller creates has the label.
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelShard: v1alpha1.DefaultShard})}
	unnamed, stop := true, managerStop
	return ctrl.Options{
		Scheme: scheme,
		Logger: logr.FromSlogHandler(log.Handler()),
		Cache: cache.Options{
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}:    ours,
				&corev1.ConfigMap{}: ours,
				&corev1.Namespace{}: ours,
			},
			// Nobody here looks at who set which field.
			DefaultTransform: cache.TransformStripManagedFields(),
		},
		// The lock on the data directory keeps a second manager away.
		LeaderElection:          false,
		Metrics:                 server.Options{BindAddress: metricsAddress},
		HealthProbeBindAddress:  "0",
		GracefulShutdownTimeout: &stop,
		// Tests run several managers in a process, one after the other.
		Controller: config.Controller{SkipNameValidation: &unnamed},
	}
}

// managers are the running controllers.
type managers struct {
	cancel context.CancelFunc
	// done gets the manager's error once, and is closed.
	done chan error
}

// startManagers starts the controllers on a host and waits until they have seen
// what there is.
func startManagers(ctx context.Context, restConfig *rest.Config, options ctrl.Options, setup func(context.Context, ctrl.Manager) error) (*managers, error) {
	mgr, err := ctrl.NewManager(restConfig, options)
	if err != nil {
		return nil, err
	}
	if err := setup(ctx, mgr); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m := &managers{cancel: cancel, done: make(chan error, 1)}
	go func() {
		defer close(m.done)
		m.done <- mgr.Start(running)
	}()
	select {
	case <-mgr.Elected():
		return m, nil
	case err := <-m.done:
		cancel()
		return nil, errors.Join(errors.New("the controllers do not start"), err)
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("starting the controllers: %w", ctx.Err()), m.stop(context.Background()))
	}
}

// stop ends the controllers and waits for them.
func (m *managers) stop(ctx context.Context) error {
	m.cancel()
	select {
	case err := <-m.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("stopping the controllers: %w", ctx.Err())
	}
}
