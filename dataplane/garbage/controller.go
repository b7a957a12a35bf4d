package garbage

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// interval is how often a project is looked through.
const interval = 15 * time.Minute

// lateness is how long before the start of this process a server may have been made that is
// deleted: longer than any cloud has a request lie.
const lateness = time.Hour

// Reconciler looks through the projects that ClusterNetworks are in. It has one worker, so
// that nothing in it is done twice at a time.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache: an owner that is taken for gone because the cache is behind
	// would lose what it has.
	Live     client.Reader
	Projects *project.Opener
	Now      func() time.Time

	// started is when the process did: a server that is older was made before, and nothing in
	// this process tells why.
	started time.Time
	places  map[place]*memory
}

// place is a project in a region of a cloud.
type place struct{ authURL, region, project string }

// Reconcile looks through the project of a network when it is time to, which is once for all
// networks in it. What cannot be done now is done the next time: who needs the cloud for more
// than this tells what is wrong with it.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	network := &v1alpha1.ClusterNetwork{}
	if err := r.Client.Get(ctx, req.NamespacedName, network); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if network.Status.ProjectID == "" {
		return ctrl.Result{}, nil // nothing has been made
	}
	log := ctrl.LoggerFrom(ctx)
	infra, err := r.Projects.Infrastructure(ctx, network)
	if err != nil {
		log.Info("what is left over is not looked for", "error", err.Error())
		return ctrl.Result{RequeueAfter: interval}, nil
	}
	m := r.memory(place{authURL: infra.Spec.AuthURL, region: infra.Spec.Region, project: network.Status.ProjectID})
	if wait := m.ran.Add(interval).Sub(r.Now()); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	if err := m.learn(ctx, r.Client, network.Status.ProjectID); err != nil {
		return ctrl.Result{}, err
	}
	visit, err := r.Projects.Enter(infra)
	if errors.Is(err, project.ErrBusy) {
		return reconcile.Again(), nil
	} else if err != nil {
		return ctrl.Result{RequeueAfter: reconcile.As(err).After}, nil
	}
	p, err := r.Projects.Open(ctx, network, infra)
	if err == nil {
		m.ran = r.Now()
		err = r.collect(ctx, p, m)
	}
	visit.Leave(p != nil, err)
	if err != nil {
		// Another network in the project may have better credentials.
		log.Info("what is left over is not looked for", "error", err.Error())
	}
	return ctrl.Result{RequeueAfter: interval}, nil
}

// memory is what is remembered of a project. One that nobody has looked through for long is
// forgotten.
func (r *Reconciler) memory(at place) *memory {
	now := r.Now()
	for other, m := range r.places {
		if now.Sub(m.used) > 24*time.Hour {
			delete(r.places, other)
		}
	}
	if r.places == nil {
		r.places = map[place]*memory{}
	}
	m := r.places[at]
	if m == nil {
		m = &memory{clusters: map[types.UID]cluster{}, seen: map[string]map[string]time.Time{}}
		r.places[at] = m
	}
	m.used = now
	return m
}

// SetupWithManager starts the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.started = r.Now()
	return ctrl.NewControllerManagedBy(mgr).Named("garbage").For(&v1alpha1.ClusterNetwork{}).Complete(r)
}
