package openstack

import (
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/rand"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/garbage"
	"github.com/marina-dev/marina/dataplane/infrastructure"
	"github.com/marina-dev/marina/dataplane/machine"
	"github.com/marina-dev/marina/dataplane/network"
	"github.com/marina-dev/marina/dataplane/nodepool"
	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
	"github.com/marina-dev/marina/pkg/operation"
)

// controllers are all of the dataplane, as the product puts them together, with requests to
// the cloud that go through the wire of the world.
type controllers struct {
	infrastructure *infrastructure.Reconciler
	network        *network.Reconciler
	machine        *machine.Reconciler
	nodepool       *nodepool.Reconciler
	garbage        *garbage.Reconciler
}

// controllers makes new ones, which know nothing of earlier ones, in a manager of their own.
func (w *world) controllers(mgr ctrl.Manager, c client.Client, live client.Reader, now func() time.Time) *controllers {
	w.Helper()
	pool := &openstack.Pool{Wrap: w.wire.wrap}
	projects := &project.Opener{Client: c, Live: live, Pool: pool, Now: now}
	all := &controllers{
		infrastructure: &infrastructure.Reconciler{Client: c, Pool: pool},
		network:        &network.Reconciler{Client: c, Live: live, Projects: projects, Now: now},
		machine:        &machine.Reconciler{Client: c, Live: live, Projects: projects, Now: now},
		nodepool:       &nodepool.Reconciler{Client: c, Live: live, Projects: projects, Now: now, Suffix: func() string { return rand.String(5) }},
		garbage:        &garbage.Reconciler{Client: c, Live: live, Projects: projects, Now: now},
	}
	check(w, operation.AddIndexes(w.Context(), mgr))
	for _, r := range []interface{ SetupWithManager(ctrl.Manager) error }{all.infrastructure, all.network, all.machine, all.nodepool, all.garbage} {
		check(w, r.SetupWithManager(mgr))
	}
	return all
}

// manager makes one that sees this world and no other.
func (w *world) manager() *apitest.Manager {
	w.Helper()
	cached := apitest.SecretsOfShard()
	cached.DefaultNamespaces = map[string]cache.Config{w.cluster.Namespace: {}, w.namespace(): {}, v1alpha1.SystemNamespace: {}}
	cached.ByObject[&v1alpha1.Infrastructure{}] = cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", w.infra.Name)}
	return apitest.NewManager(w, management, cached, 0)
}

// run runs the controllers as the product does, woken by events and by their own times on the
// real clock, until the test ends.
func (w *world) run() {
	w.Helper()
	mgr := w.manager()
	w.controllers(mgr, mgr.GetClient(), mgr.GetAPIReader(), time.Now)
	mgr.Run(w)
}
