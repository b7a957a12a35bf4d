package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/marina-dev/marina/controlplane/join"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// connectAgain is when a tenant is looked for again to which there is no connection: it is
// made without an event, when a manager has just started.
const connectAgain = time.Second

// tenantTimeout limits what a pass asks a tenant for: one that hangs must not hold up the
// machines of the others. The client that it is given has no limit of its own.
const tenantTimeout = 10 * time.Second

// Reconciler reconciles NodeBootstraps.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache what must not be missed.
	Live client.Reader
	// Tenant is a client of the tenant whose control plane is in a management namespace,
	// or false while there is none.
	Tenant func(namespace string) (kubernetes.Interface, bool)
	Now    func() time.Time
	// Random is crypto/rand.Reader outside of tests.
	Random io.Reader
}

// scope is one pass over one NodeBootstrap. Each field is set by the step that
// its comment names.
type scope struct {
	bootstrap *v1alpha1.NodeBootstrap
	before    *v1alpha1.NodeBootstrap // as it was read, or last written

	tenant kubernetes.Interface // connect
	token  join.Token           // secret
}

// Reconcile makes what one machine needs:
//
//  1. finalizer
//  2. end: nothing more, once the token has ended
//  3. connect: the tenant, in which a node could join now
//  4. secret: the token, and with it what the machine reads, before anybody knows it
//  5. token: into the tenant
//
// A crash after any of them leaves nothing that the next
// pass does not find: the Secret holds the token that the tenant is given.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	b := &v1alpha1.NodeBootstrap{}
	if err := r.Client.Get(ctx, req.NamespacedName, b); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s := &scope{bootstrap: b, before: b.DeepCopy()}
	if b.DeletionTimestamp != nil {
		return r.delete(ctx, s)
	}
	if end := b.Status.ExpirationTime; reconcile.IsTrue(b.Status.Conditions, v1alpha1.ConditionReady) && r.Now().Before(end.Time) {
		return ctrl.Result{RequeueAfter: end.Sub(r.Now())}, nil
	}
	within, cancel := context.WithTimeout(ctx, tenantTimeout)
	defer cancel()
	err := reconcile.Run(within, s, []reconcile.Step[*scope]{
		{Name: "finalizer", Run: r.ensureFinalizer},
		{Name: "end", Run: r.awaitEnd},
		{Name: "connect", Run: r.connect},
		{Name: "secret", Run: r.ensureSecret},
		{Name: "token", Run: r.ensureToken},
	})
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	if err == nil {
		b.Status.SecretName = secretOf(b)
	}
	b.Status.ObservedGeneration = b.Generation
	reconcile.SetCondition(&b.Status.Conditions, v1alpha1.ConditionReady, b.Generation, err, "the machine can join")
	if statusErr := reconcile.PatchStatus(ctx, r.Client, s.before, b); statusErr != nil {
		return ctrl.Result{}, statusErr
	}
	result, err := reconcile.Result(err)
	if err != nil {
		return ctrl.Result{}, err
	}
	if end := b.Status.ExpirationTime; end != nil && r.Now().Before(end.Time) {
		result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, end.Sub(r.Now()))
	}
	return result, nil
}

func (r *Reconciler) ensureFinalizer(ctx context.Context, s *scope) error {
	return reconcile.SetFinalizer(ctx, r.Client, s.bootstrap, s.before, controllerutil.AddFinalizer, v1alpha1.NodeBootstrapFinalizer)
}

// awaitEnd fails once the token has ended: a machine that has not joined by then has failed.
func (r *Reconciler) awaitEnd(_ context.Context, s *scope) error {
	end := s.bootstrap.Status.ExpirationTime
	if end == nil || r.Now().Before(end.Time) {
		return nil
	}
	return reconcile.UserError("Expired", "the token has ended at %s: delete this NodeBootstrap, and create another one if the machine is still to join",
		end.UTC().Format(time.RFC3339))
}

// connect finds the tenant, once a node could join it.
func (r *Reconciler) connect(ctx context.Context, s *scope) error {
	hcp, err := r.controlPlane(ctx, s)
	if err != nil {
		return err
	}
	if hcp == nil || hcp.DeletionTimestamp != nil {
		return reconcile.Wait("NoControlPlane", "there is no control plane in %s that a node could join", s.bootstrap.Namespace)
	}
	if !reconcile.IsTrue(hcp.Status.Conditions, v1alpha1.ConditionReady) {
		return reconcile.Wait("WaitingForControlPlane", "no node can join yet: the control plane is not ready")
	}
	tenant, ok := r.Tenant(s.bootstrap.Namespace)
	if !ok {
		return reconcile.WaitFor(connectAgain, "WaitingForControlPlane", "the connection to the control plane is being made")
	}
	s.tenant = tenant
	return nil
}

// controlPlane is the one of the namespace, or nil.
func (r *Reconciler) controlPlane(ctx context.Context, s *scope) (*v1alpha1.HostedControlPlane, error) {
	hcp := &v1alpha1.HostedControlPlane{}
	key := client.ObjectKey{Namespace: s.bootstrap.Namespace, Name: v1alpha1.NameHostedControlPlane}
	if err := r.Client.Get(ctx, key, hcp); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return hcp, nil
}

// ensureToken gives the tenant the token that the Secret holds.
func (r *Reconciler) ensureToken(ctx context.Context, s *scope) error {
	secret := join.TokenSecret(s.token, requestOf(s.bootstrap))
	secret.Labels[v1alpha1.LabelNodeBootstrap] = string(s.bootstrap.UID)
	_, err := s.tenant.CoreV1().Secrets(secret.Namespace).Create(ctx, secret, metav1.CreateOptions{FieldManager: v1alpha1.FieldOwner})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return reconcile.Retry(err, "TenantUnreachable", "the token cannot be written into the tenant: %v", err)
	}
	return nil
}

// delete revokes the token, so that nobody joins with it any more, and lets go. A tenant
// that is going, or a token that has ended, needs no revoking.
func (r *Reconciler) delete(ctx context.Context, s *scope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.bootstrap, v1alpha1.NodeBootstrapFinalizer) {
		return ctrl.Result{}, nil
	}
	within, cancel := context.WithTimeout(ctx, tenantTimeout)
	defer cancel()
	if err := r.revoke(within, s); err != nil {
		reconcile.SetCondition(&s.bootstrap.Status.Conditions, v1alpha1.ConditionDeleting, s.bootstrap.Generation, err, "")
		if statusErr := reconcile.PatchStatus(ctx, r.Client, s.before, s.bootstrap); statusErr != nil {
			return ctrl.Result{}, statusErr
		}
		return reconcile.Result(err)
	}
	err := reconcile.SetFinalizer(ctx, r.Client, s.bootstrap, s.before, controllerutil.RemoveFinalizer, v1alpha1.NodeBootstrapFinalizer)
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// revoke deletes the token by its label: the Secret may have gone first, as it does when
// somebody deletes the NodeBootstrap in the foreground.
func (r *Reconciler) revoke(ctx context.Context, s *scope) error {
	end := s.bootstrap.Status.ExpirationTime
	switch token, err := r.storedToken(ctx, r.Live, s); {
	case err == nil:
		end = &metav1.Time{Time: token.Expires}
	case !errors.Is(err, errNoToken) && !errors.Is(err, errTaken):
		return err
	}
	if end == nil || !r.Now().Before(end.Time) {
		return nil
	}
	hcp, err := r.controlPlane(ctx, s)
	if err != nil || hcp == nil || hcp.DeletionTimestamp != nil {
		return err
	}
	tenant, ok := r.Tenant(s.bootstrap.Namespace)
	if !ok {
		after := connectAgain
		if !reconcile.IsTrue(hcp.Status.Conditions, v1alpha1.ConditionReady) {
			after = end.Sub(r.Now()) // an event tells earlier that it is ready
		}
		return reconcile.WaitFor(after, "WaitingForControlPlane", "the token ends at %s, or when the tenant can be reached", end.UTC().Format(time.RFC3339))
	}
	ours := metav1.ListOptions{LabelSelector: v1alpha1.LabelNodeBootstrap + "=" + string(s.bootstrap.UID)}
	err = tenant.CoreV1().Secrets(metav1.NamespaceSystem).DeleteCollection(ctx, metav1.DeleteOptions{}, ours)
	if err != nil {
		return reconcile.Retry(err, "TenantUnreachable", "the token cannot be revoked: %v", err)
	}
	return nil
}

// SetupWithManager starts the controller. It is woken by NodeBootstraps, and by a control
// plane that becomes ready or goes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("nodebootstrap").
		For(&v1alpha1.NodeBootstrap{}).
		Watches(&v1alpha1.HostedControlPlane{}, handler.EnqueueRequestsFromMapFunc(r.waiting)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// waiting are those that wait for a control plane.
func (r *Reconciler) waiting(ctx context.Context, hcp client.Object) []ctrl.Request {
	var all v1alpha1.NodeBootstrapList
	if err := r.Client.List(ctx, &all, client.InNamespace(hcp.GetNamespace())); err != nil {
		// Reading the cache fails only when it stops.
		ctrl.LoggerFrom(ctx).Error(err, "listing NodeBootstraps")
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		b := &all.Items[i]
		if b.DeletionTimestamp != nil || !reconcile.IsTrue(b.Status.Conditions, v1alpha1.ConditionReady) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
		}
	}
	return requests
}

// requestOf is what a NodeBootstrap asks for.
func requestOf(b *v1alpha1.NodeBootstrap) join.TokenRequest {
	return join.TokenRequest{
		TTL: time.Duration(b.Spec.TTLSeconds) * time.Second, NodeName: b.Spec.NodeName, Description: "machine of " + b.Namespace + "/" + b.Name,
	}
}

// secretOf is the name of the Secret of a NodeBootstrap.
func secretOf(b *v1alpha1.NodeBootstrap) string { return fmt.Sprintf("bootstrap-%s", b.Name) }
