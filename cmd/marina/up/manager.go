package up

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/cmd/marina/controllers"
)

// managerOptions are those of the one manager.
func managerOptions(scheme *runtime.Scheme, metricsAddress string, log *slog.Logger) ctrl.Options {
	options := controllers.Options(scheme, log)
	// The lock on the data directory keeps a second manager away.
	options.LeaderElection = false
	options.Metrics.BindAddress = metricsAddress
	options.HealthProbeBindAddress = "0"
	// Tests run several managers in a process, one after the other.
	unnamed := true
	options.Controller.SkipNameValidation = &unnamed
	return options
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
