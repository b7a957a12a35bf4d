package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// tenantTimeout limits what a pass asks a tenant for. The client that it is given has no
	// limit of its own.
	tenantTimeout = 10 * time.Second
	// busy is when it is looked again while something is expected to happen, and calm when
	// not.
	busy = 2 * time.Second
	calm = 30 * time.Second
	// patient is busy with a tenant that has just not answered: it may be one that takes the
	// whole tenantTimeout not to.
	patient = 10 * time.Second
	// nodesPerPage keeps an answer small enough to be read.
	nodesPerPage = 250
	// maxPages are more nodes than a tenant has whose administrator means well.
	maxPages = 40
)

// Reconciler reconciles the nodes of Machines, those of a tenant at a time.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache what must not be missed.
	Live client.Reader
	// Tenant is a client of the tenant whose control plane is in a management namespace,
	// or false while there is none.
	Tenant func(namespace string) (kubernetes.Interface, bool)
	Now    func() time.Time
}

// scope is one pass over the Machines of a namespace. Each field is set by the function that
// its comment names.
type scope struct {
	machines []v1alpha1.Machine
	// until is when the tenant is asked for nothing more in this pass, and share is how many
	// pods of each node may be evicted in it.
	until time.Time
	share int

	// hosted is whether there is a control plane, and tenant is nil while it cannot be asked.
	hosted bool                    // ask
	tenant kubernetes.Interface    // ask
	nodes  map[string]*corev1.Node // ask
	asked  time.Time               // ask
	soon   time.Duration           // ask

	// deleted is whether the Cluster is, once it is known.
	deleted *bool // going
	// replaced are the pools that make another node for one that is deleted, by their UIDs.
	replaced map[types.UID]bool // askPools
}

// within limits requests to the tenant.
func (s *scope) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, s.until)
}

// Reconcile looks at the nodes of a tenant, and at each Machine of it:
//
//   - one that lives is told of its node, which is given labels and taints, and is emptied
//     before its server is made anew
//   - one that is deleted gets its node drained
//   - one that is gone from the cloud loses its node, and the finalizer
//
// What goes wrong with one Machine is no matter for the others. What goes wrong in a tenant is
// for its administrator, and is tried again at the usual times.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var all v1alpha1.MachineList
	if err := r.Client.List(ctx, &all, client.InNamespace(req.Namespace)); err != nil || len(all.Items) == 0 {
		return ctrl.Result{}, err
	}
	s := &scope{machines: all.Items, until: time.Now().Add(tenantTimeout), share: shareOf(all.Items)}
	if err := r.ask(ctx, s, req.NamespacedName); err != nil {
		return ctrl.Result{}, err
	}
	var again time.Duration
	var errs []error
	// In a slow tenant the last ones may get no time: they are others in each pass.
	for _, i := range rand.Perm(len(s.machines)) {
		after, err := r.machine(ctx, s, &s.machines[i])
		if reconcile.Overtaken(err) {
			after, err = reconcile.Again().RequeueAfter, nil
		}
		errs = append(errs, client.IgnoreNotFound(err))
		again = reconcile.Earliest(again, after)
	}
	if err := errors.Join(errs...); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// ask asks the tenant for its nodes, if there is one and it answers.
func (r *Reconciler) ask(ctx context.Context, s *scope, key client.ObjectKey) error {
	s.soon = busy
	if err := r.Client.Get(ctx, key, &v1alpha1.HostedControlPlane{}); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	s.hosted = true
	tenant, ok := r.Tenant(key.Namespace)
	if !ok {
		return nil
	}
	s.asked = r.Now()
	ctx, cancel := s.within(ctx)
	defer cancel()
	nodes, err := nodesOf(ctx, tenant, s.machines)
	if err != nil {
		ctrl.LoggerFrom(ctx).V(1).Info("the tenant does not tell of its nodes", "error", err.Error())
		s.soon = patient
		return nil
	}
	s.tenant, s.nodes = tenant, nodes
	return nil
}

// nodesOf are the nodes of Machines, and of the others one that takes pods and one that does
// not: there may be any number of them, and of any size.
func nodesOf(ctx context.Context, tenant kubernetes.Interface, machines []v1alpha1.Machine) (map[string]*corev1.Node, error) {
	mine, nodes, others := map[string]bool{}, map[string]*corev1.Node{}, map[bool]bool{}
	for i := range machines {
		mine[machines[i].Name] = true
	}
	options := metav1.ListOptions{Limit: nodesPerPage}
	for range maxPages {
		page, err := tenant.CoreV1().Nodes().List(ctx, options)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			node := page.Items[i] // not the address of that, which would keep the whole page
			if !mine[node.Name] {
				if node.DeletionTimestamp != nil || others[takesPods(&node)] {
					continue
				}
				others[takesPods(&node)] = true
			}
			nodes[node.Name] = &node
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return nodes, nil
		}
	}
	return nil, fmt.Errorf("it has more than %d", maxPages*nodesPerPage)
}

// machine does what there is to do for one Machine, and tells when to look at it again.
func (r *Reconciler) machine(ctx context.Context, s *scope, m *v1alpha1.Machine) (time.Duration, error) {
	before := m.DeepCopy()
	switch {
	case m.DeletionTimestamp == nil:
		return r.live(ctx, s, m, before)
	case !controllerutil.ContainsFinalizer(m, v1alpha1.NodeFinalizer):
		return 0, nil
	case controllerutil.ContainsFinalizer(m, v1alpha1.MachineFinalizer):
		return r.empty(ctx, s, m, before)
	default:
		return r.remove(ctx, s, m, before)
	}
}

// live tells a Machine of its node, and keeps the node's labels and taints.
func (r *Reconciler) live(ctx context.Context, s *scope, m, before *v1alpha1.Machine) (time.Duration, error) {
	if s.tenant == nil {
		return s.again(m), nil
	}
	node := s.nodes[m.Name]
	observe(m, node, r.Now())
	checked(m, s.asked)
	missed(m, s.asked)
	if node != nil {
		m.Status.Node.AppliedLabels, m.Status.Node.AppliedTaints = applied(node, m)
	}
	if err := r.rebuild(ctx, s, m, before); err != nil {
		return 0, err
	}
	if err := reconcile.PatchStatus(ctx, r.Client, before, m); err != nil {
		return 0, err
	}
	if node != nil {
		if err := r.keep(ctx, s, m, node); err != nil {
			return 0, err
		}
	}
	return s.again(m), nil
}

// again is when a Machine that lives is looked at again: soon while its node is to become Ready
// for the first time. Before it has a server that will not be, and an event tells of one.
func (s *scope) again(m *v1alpha1.Machine) time.Duration {
	if m.Rebuilding() {
		return s.soon
	}
	ready := m.Status.ReadySince != nil || m.Status.Node != nil && m.Status.Node.Ready
	if ready || m.Status.ServerID == "" {
		return calm
	}
	return s.soon
}

// keep writes labels and taints of the node that are not as they are to be.
func (r *Reconciler) keep(ctx context.Context, s *scope, m *v1alpha1.Machine, node *corev1.Node) error {
	patch, err := change(node, m)
	if err != nil || patch == nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	err = patchNode(ctx, s, node, patch)
	if err != nil && !apierrors.IsConflict(err) {
		ctrl.LoggerFrom(ctx).Info("labels and taints of a node are not as they are to be", "node", node.Name, "error", shortened(err.Error()))
		return nil
	}
	return err
}

// SetupWithManager starts the controller. It is woken by Machines, and by a control plane that
// becomes ready or goes.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("node").
		For(&v1alpha1.HostedControlPlane{}).
		Watches(&v1alpha1.Machine{}, handler.EnqueueRequestsFromMapFunc(tenantOf), builder.WithPredicates(predicate.Funcs{UpdateFunc: matters})).
		// Passes wait for tenants more than they work; some of these do not answer.
		WithOptions(controller.Options{MaxConcurrentReconciles: 16}).
		Complete(r)
}

func tenantOf(_ context.Context, m client.Object) []ctrl.Request {
	return []ctrl.Request{{NamespacedName: client.ObjectKey{Namespace: m.GetNamespace(), Name: v1alpha1.NameHostedControlPlane}}}
}

// matters reports whether a change of a Machine is one that asks for something here. Most are
// of status, and many by this package.
func matters(e event.UpdateEvent) bool {
	before, now := e.ObjectOld.(*v1alpha1.Machine), e.ObjectNew.(*v1alpha1.Machine)
	return before.Generation != now.Generation || before.Status.Rebuild.Booted() != now.Status.Rebuild.Booted() || before.Status.ServerID != now.Status.ServerID || !slices.Equal(before.Finalizers, now.Finalizers)
}
