// Package controllers puts together what runs in a manager, wherever that runs: the
// kinds, the controllers and what their caches hold.
package controllers

import (
	"context"
	"crypto/rand"
	"time"

	utilrand "k8s.io/apimachinery/pkg/util/rand"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/controlplane/bootstrap"
	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/controlplane/deorbit"
	"github.com/marina-dev/marina/controlplane/etcd"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/controlplane/hosted"
	"github.com/marina-dev/marina/controlplane/node"
	"github.com/marina-dev/marina/controlplane/preflight"
	"github.com/marina-dev/marina/dataplane/garbage"
	"github.com/marina-dev/marina/dataplane/infrastructure"
	"github.com/marina-dev/marina/dataplane/machine"
	"github.com/marina-dev/marina/dataplane/network"
	"github.com/marina-dev/marina/dataplane/nodepool"
	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/operation"
)

// Setup adds every controller to the manager. What they host runs on tenants; version is
// that of Marina's own program there.
func Setup(ctx context.Context, mgr ctrl.Manager, tenants host.Host, version string) error {
	if err := etcd.AddIndexes(ctx, mgr); err != nil {
		return err
	}
	if err := operation.AddIndexes(ctx, mgr); err != nil {
		return err
	}
	c, pool := mgr.GetClient(), &etcd.Pool{}
	clouds := &openstack.Pool{Agent: "marina/" + version}
	projects := &project.Opener{Client: c, Live: mgr.GetAPIReader(), Pool: clouds, Now: time.Now}
	if err := mgr.Add(atEnd(pool.Close)); err != nil {
		return err
	}
	planes := &hosted.Reconciler{Client: c, Live: mgr.GetAPIReader(), Host: tenants, Now: time.Now}
	for _, controller := range []interface{ SetupWithManager(ctrl.Manager) error }{
		&cluster.Reconciler{Client: c, Live: mgr.GetAPIReader(), Now: time.Now, Deorbit: deorbit.In(planes.Tenant), Inspect: preflight.In(planes.Tenant, planes.Metrics)},
		&cluster.ReleaseReconciler{Client: c},
		planes,
		&bootstrap.Reconciler{Client: c, Live: mgr.GetAPIReader(), Tenant: planes.Tenant, Now: time.Now, Random: rand.Reader},
		&node.Reconciler{Client: c, Live: mgr.GetAPIReader(), Tenant: planes.Tenant, Now: time.Now},
		&etcd.ClusterReconciler{Client: c, Live: mgr.GetAPIReader(), Host: tenants, Pool: pool, Version: version, Now: time.Now},
		&etcd.TenantReconciler{Client: c, Pool: pool, Now: time.Now},
		&infrastructure.Reconciler{Client: c, Pool: clouds},
		&network.Reconciler{Client: c, Live: mgr.GetAPIReader(), Projects: projects, Now: time.Now},
		&machine.Reconciler{Client: c, Live: mgr.GetAPIReader(), Projects: projects, Now: time.Now},
		&nodepool.Reconciler{Client: c, Live: mgr.GetAPIReader(), Projects: projects, Now: time.Now, Suffix: func() string { return utilrand.String(5) }},
		&garbage.Reconciler{Client: c, Live: mgr.GetAPIReader(), Projects: projects, Now: time.Now},
	} {
		if err := controller.SetupWithManager(mgr); err != nil {
			return err
		}
	}
	return nil
}

// atEnd is called when the manager ends, after the controllers.
type atEnd func()

// Start implements manager.Runnable.
func (f atEnd) Start(ctx context.Context) error {
	<-ctx.Done()
	f()
	return nil
}

// NeedLeaderElection puts it among those that end after the controllers.
func (atEnd) NeedLeaderElection() bool { return false }
