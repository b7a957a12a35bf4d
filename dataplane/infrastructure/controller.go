package infrastructure

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// interval is how often a cloud is looked at anew. Nobody tells of changes there.
	interval = 10 * time.Minute
	// problemInterval is how often, while something is missing that somebody may be about to
	// add. Credentials that are refused are tried again no sooner than after interval: clouds
	// lock users that try too often.
	problemInterval = time.Minute
	// firstRetry is when a cloud that does not answer is asked again for the first time; it
	// doubles up to interval.
	firstRetry = 5 * time.Second
)

// Reconciler reconciles Infrastructures.
type Reconciler struct {
	Client client.Client
	// Pool has the clients of clouds; it is shared with whoever else asks them.
	Pool *openstack.Pool
}

// scope is one pass over one Infrastructure. Each field is set by the step that its
// comment names.
type scope struct {
	infra       *v1alpha1.Infrastructure
	before      *v1alpha1.Infrastructure // as it was read
	credentials openstack.Credentials    // credentials
	inspection  inspection               // login, look
	looked      bool                     // look: whether everything was looked at
}

// Reconcile looks at one Infrastructure:
//
//  1. credentials: the Secret, and clouds.yaml in it
//  2. login: into the cloud
//  3. look: at what it needs of the cloud, see inspection
//
// and writes what it found. While the cloud cannot be asked, what was found last stays,
// and so does Ready; the condition Reachable tells.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	infra := &v1alpha1.Infrastructure{}
	if err := r.Client.Get(ctx, req.NamespacedName, infra); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if infra.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	s := &scope{infra: infra, before: infra.DeepCopy()}
	err := reconcile.Run(ctx, s, []reconcile.Step[*scope]{
		{Name: "credentials", Run: r.readCredentials},
		{Name: "login", Run: r.logIn},
		{Name: "look", Run: r.look},
	})
	if e := reconcile.As(err); e != nil && e.Kind == reconcile.KindRetry && e.Reason != reasonUnreachable {
		return ctrl.Result{}, err // the API server's: nothing is known of the Infrastructure
	}
	writeStatus(s, err)
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, infra); err != nil {
		return ctrl.Result{}, err
	}
	result, err := reconcile.Result(err)
	if err == nil {
		result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, interval)
	}
	return result, err
}

// readCredentials reads what the spec names.
func (r *Reconciler) readCredentials(ctx context.Context, s *scope) error {
	key := types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: s.infra.Spec.CredentialsRef.Name}
	secret := &corev1.Secret{}
	if err := r.Client.Get(ctx, key, secret); client.IgnoreNotFound(err) != nil {
		return err
	} else if err != nil {
		return reconcile.UserError("SecretNotFound", "Secret %s does not exist, or has not the label %s=%s: create it, with the key %s",
			key, v1alpha1.LabelShard, v1alpha1.DefaultShard, v1alpha1.CloudsKey)
	}
	if len(secret.Data[v1alpha1.CloudsKey]) == 0 {
		return reconcile.UserError("SecretIncomplete", "Secret %s has no %s: add it", key, v1alpha1.CloudsKey)
	}
	var err error
	if s.credentials, err = openstack.ParseCloudsYAML(secret.Data[v1alpha1.CloudsKey], v1alpha1.CloudName); err != nil {
		return reconcile.UserError("CredentialsInvalid", "Secret %s, %s: %v", key, v1alpha1.CloudsKey, err)
	}
	return nil
}

func (r *Reconciler) logIn(ctx context.Context, s *scope) error {
	s.inspection.spec = &s.infra.Spec
	var err error
	if s.inspection.client, err = s.inspection.logIn(ctx, r.Pool, s.credentials); err != nil {
		return unreachable(err)
	}
	return s.problem()
}

func (r *Reconciler) look(ctx context.Context, s *scope) error {
	var releases v1alpha1.KubernetesReleaseList
	if err := r.Client.List(ctx, &releases); err != nil {
		return err
	}
	for i := range releases.Items {
		s.inspection.releases = append(s.inspection.releases, releases.Items[i].Name)
	}
	if err := s.inspection.look(ctx); err != nil {
		return unreachable(err)
	}
	err := s.problem()
	e := reconcile.As(err)
	s.looked = e == nil || !ofCredentials(e)
	return err
}

// SetupWithManager starts the controller. It is woken by specs, by Secrets that hold the
// credentials, and by releases that come or go; its own writes of status wake it too, as
// one that is not in the cache yet may hide that another is needed.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("infrastructure").
		For(&v1alpha1.Infrastructure{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.withSecret)).
		Watches(&v1alpha1.KubernetesRelease{}, handler.EnqueueRequestsFromMapFunc(r.withRelease), builder.WithPredicates(comeOrGone())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: 4,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](firstRetry, interval),
		}).
		Complete(r)
}

func (r *Reconciler) withSecret(ctx context.Context, obj client.Object) []ctrl.Request {
	if obj.GetNamespace() != v1alpha1.SystemNamespace {
		return nil
	}
	return r.those(ctx, func(i *v1alpha1.Infrastructure) bool { return i.Spec.CredentialsRef.Name == obj.GetName() })
}

func (r *Reconciler) withRelease(ctx context.Context, obj client.Object) []ctrl.Request {
	return r.those(ctx, func(i *v1alpha1.Infrastructure) bool {
		return slices.ContainsFunc(i.Spec.Releases, func(offered v1alpha1.InfrastructureRelease) bool { return offered.Release == obj.GetName() })
	})
}

func (r *Reconciler) those(ctx context.Context, concerns func(*v1alpha1.Infrastructure) bool) []ctrl.Request {
	var all v1alpha1.InfrastructureList
	if err := r.Client.List(ctx, &all); err != nil {
		// Reading the cache fails only when it stops.
		ctrl.LoggerFrom(ctx).Error(err, "listing Infrastructures")
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		if concerns(&all.Items[i]) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}

// comeOrGone passes on what is created or deleted: a release's content is of no concern.
func comeOrGone() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}
}
