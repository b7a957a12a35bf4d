// Package up is 'marina up': everything of Marina on one Linux machine, without
// root, from one folder.
//
// In this process run the management etcd and the controllers. The management API
// server and controller-manager, and all that belongs to tenants, are processes of
// their own: when this one is killed they live on. The next one on the same folder
// adopts what is of tenants, and replaces what is its own. Below the custom resources
// it is the code of production; only the host is that of a single machine.
//
//	<data>/version      the layout of this folder
//	<data>/marina.pid   who uses it; locked while somebody does
//	<data>/kubeconfig   the administrator's way in
//	<data>/pki          keys of the management plane, and of its data at rest
//	<data>/etcd         the management API's data
//	<data>/logs         what the management etcd says
//	<data>/management   the management plane's processes, with their logs
//	<data>/tenants      the tenants' processes, with their logs and their etcd's data;
//	                    and that of the simulated cloud
//	<data>/cloud        the simulated cloud, with its servers
package up

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/controllers"
	"github.com/marina-dev/marina/cmd/marina/logging"
	"github.com/marina-dev/marina/cmd/marina/simulator"
	"github.com/marina-dev/marina/manifests"
)

// Running is a Marina that has started.
type Running struct {
	options    Options
	management *management
	tenants    *tenants
	cloud      *cloud
	managers   *managers
	// containers are what the simulator's servers are made of, if they are any.
	containers simulator.Containers

	// started are the parts to stop, in the order in which they were started.
	started []part
	// failed gets why Marina cannot go on.
	failed chan error
	// background is done when Marina is being stopped; tasks are what ends with it.
	background context.Context
	end        context.CancelFunc
	tasks      sync.WaitGroup
}

// part is something that has been started.
type part struct {
	name string
	// limit is how long it may take to stop.
	limit time.Duration
	stop  func(context.Context) error
	// tenants is true for what serves tenants: a start that fails leaves them as it
	// has found them.
	tenants bool
}

// Start starts Marina and returns when clusters can be created. ctx ends the start,
// not what has been started: that is for Stop.
//
//  1. take the data directory
//  2. preflight
//  3. management plane: ports, keys, etcd, API server
//  4. kinds, releases and policies
//  5. controller-manager
//  6. defaults; and controllers with the tenants that are there, and the cloud
//
// Logs of libraries go to options.Log, for the whole process.
func Start(ctx context.Context, options Options) (_ *Running, err error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	logging.RouteLibraries(options.Log)
	r := &Running{options: options, failed: make(chan error, 1)}
	r.background, r.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = explainDisk(dataDir(options.DataDir), err)
			if stopErr := r.stop(context.Background(), true); stopErr != nil {
				// Also for who looks at nothing but that the start was interrupted.
				options.Log.Error("stopping what had been started", "error", stopErr)
				err = errors.Join(err, stopErr)
			}
		}
	}()

	if err := r.startManagement(ctx); err != nil {
		return nil, err
	}
	if err := r.whileEtcdServes(ctx, r.startServing); err != nil {
		return nil, err
	}
	r.tasks.Go(r.watch)
	r.tasks.Go(r.renew)
	r.tasks.Go(r.watchSpace)
	return r, nil
}

// startManagement takes the data directory and starts the management plane.
func (r *Running) startManagement(ctx context.Context) error {
	held, err := openDataDir(dataDir(r.options.DataDir))
	if err != nil {
		return err
	}
	r.started = append(r.started, part{name: "lock", limit: time.Second, stop: func(context.Context) error {
		held.release()
		return nil
	}})
	kubernetes, err := preflight(r.options)
	if err != nil {
		return err
	}
	if r.containers, err = nodeContainers(ctx, r.options); err != nil {
		return err
	}
	m, err := openManagement(ctx, r.options, kubernetes)
	if err != nil {
		return err
	}
	r.management = m
	r.started = append(r.started,
		part{name: "management etcd", limit: 15 * time.Second, stop: m.stopEtcd},
		part{name: "management processes", limit: 20 * time.Second, stop: m.stopProcesses})
	if err := m.renewCredentials(time.Now()); err != nil {
		return err
	}
	return m.start(ctx)
}

// whileEtcdServes ends what start does when the management etcd fails: nothing would
// tell it but time-outs.
func (r *Running) whileEtcdServes(ctx context.Context, start func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	failed := make(chan error, 1)
	r.tasks.Go(func() {
		select {
		case err := <-r.management.etcd.broken:
			failed <- err
			cancel(err)
		case <-ctx.Done():
		}
	})
	err := start(ctx)
	select {
	case reason := <-failed:
		return etcdFailed(r.management.dir, reason)
	default:
		return err
	}
}

// startServing makes the empty API server one of Marina, and starts what works on it.
func (r *Running) startServing(ctx context.Context) error {
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	config := r.management.config(leafMarina)
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	set, err := readManifestSet(manifests.FS)
	if err != nil {
		return err
	}
	if err := set.applyAPI(ctx, api); err != nil {
		return r.notApplied(err)
	}
	if err := r.management.startControllerManager(ctx); err != nil {
		return err
	}
	// Both wait for the API server most of the time.
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.notApplied(set.createDefaults(ctx, api)) })
	if r.options.Controllers {
		group.Go(func() error {
			if err := r.startControllers(ctx, config, scheme); err != nil {
				return err
			}
			r.cloud = &cloud{options: r.options, containers: r.containers, host: r.tenants.host, api: api}
			return r.cloud.start(ctx)
		})
	}
	return group.Wait()
}

// notApplied tells of an error as text only: that it is one of the API or of a
// context is for us to know, and would be explained to a person as one of theirs.
func (r *Running) notApplied(err error) error {
	if err == nil {
		return nil
	}
	return failure.New("see the logs in "+r.management.dir.management(), "applying the manifests: %v", err)
}

// startControllers starts the controllers, with the tenants that are there.
func (r *Running) startControllers(ctx context.Context, config *rest.Config, scheme *runtime.Scheme) (err error) {
	r.tenants = &tenants{options: r.options}
	r.started = append(r.started, part{name: "tenants", limit: tenantsStop, stop: r.tenants.stop, tenants: true})
	options := managerOptions(scheme, r.options.MetricsAddress, r.options.Log)
	if r.managers, err = startManagers(ctx, config, options, r.tenants.setup); err != nil {
		return err
	}
	r.started = append(r.started, part{name: "controllers", limit: controllers.Stop + 5*time.Second, stop: r.managers.stop})
	return nil
}

// RESTConfig reaches the management API as its administrator.
func (r *Running) RESTConfig() *rest.Config { return r.management.config(leafAdmin) }

// Kubeconfig is the file that the administrator uses.
func (r *Running) Kubeconfig() string { return r.management.dir.kubeconfig() }

// Failed gets an error when Marina cannot go on. What it runs lives on.
func (r *Running) Failed() <-chan error { return r.failed }

// Stop stops everything: controllers, tenants, and then the management plane. It
// returns nil when nothing is left. When ctx ends it gives up; what still runs then
// is adopted by the next start.
func (r *Running) Stop(ctx context.Context) error { return r.stop(ctx, false) }

// stop stops what has been started, the last first, except what served tenants before
// if that is to go on.
func (r *Running) stop(ctx context.Context, leaveTenants bool) error {
	r.end()
	r.tasks.Wait()
	var errs []error
	for i := len(r.started) - 1; i >= 0; i-- {
		p := r.started[i]
		if p.tenants && leaveTenants && r.tenants.livedOn() {
			errs = append(errs, r.tenants.leave())
			continue
		}
		r.options.Log.Debug("stopping", "part", p.name)
		ctx, cancel := context.WithTimeout(ctx, p.limit)
		if err := p.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", p.name, err))
		}
		cancel()
	}
	r.started = nil
	return errors.Join(errs...)
}
