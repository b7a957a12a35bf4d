package deorbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	// tenantTimeout limits what a pass asks a tenant for. The client that it is given has no
	// limit of its own.
	tenantTimeout = 5 * time.Second
	// perPage keeps an answer small enough to be read.
	perPage = 250
	// maxPages are more objects of a kind than a tenant has whose administrator means well.
	maxPages = 400
	// atOnce is how many objects are deleted in a pass, as many as the client may send requests
	// in a few seconds. The next pass deletes more.
	atOnce = 100
)

// errUnconnected says that there is no connection to a tenant.
var errUnconnected = errors.New("there is no connection to the tenant's API server")

// In is Pass for the tenant whose control plane is in a management namespace.
func In(tenants func(namespace string) (kubernetes.Interface, bool)) func(ctx context.Context, namespace string) (waiting, kept []string, err error) {
	return func(ctx context.Context, namespace string) (waiting, kept []string, err error) {
		tenant, ok := tenants(namespace)
		if !ok {
			return nil, nil, errUnconnected
		}
		return Pass(ctx, tenant)
	}
}

// Pass deletes what has not been told to go yet, and names what is left: waiting is what is still
// to go, with what is known to be in its way, and kept are the volumes in the cloud that stay. An
// error is of a tenant that cannot be asked; nothing has been found out then. What is refused is
// tried again by the next pass.
func Pass(ctx context.Context, tenant kubernetes.Interface) (waiting, kept []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tenantTimeout)
	defer cancel()
	f := finding{goes: map[string]*entry{}, stays: map[string]bool{}, claims: map[object]*entry{}}
	if err := f.look(ctx, tenant); err != nil {
		return nil, nil, err
	}
	if len(f.deletions) > 0 {
		if err := refuseNew(ctx, tenant); err != nil {
			// Without it there may be more to delete in the next pass, that is all.
			ctrl.LoggerFrom(ctx).Info("what is deleted in the tenant may be made anew", "error", shortened(err.Error()))
		}
	}
	for _, d := range f.deletions[:min(len(f.deletions), atOnce)] {
		err := d.do(ctx, tenant)
		var refused apierrors.APIStatus
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
			// The next pass finds it gone, or another one.
		case errors.As(err, &refused):
			d.of.because = fmt.Sprintf("%s %s cannot be deleted: %s", d.singular, d.object, shortened(refused.Status().Message))
		default:
			ctrl.LoggerFrom(ctx).V(1).Info("the tenant has stopped to answer", "error", err.Error())
			return f.words(), f.kept, nil
		}
	}
	return f.words(), f.kept, nil
}

// look lists what there is, each kind once. Pods are of no matter where no claim is to go.
func (f *finding) look(ctx context.Context, tenant kubernetes.Interface) error {
	core := tenant.CoreV1()
	loadBalancers := "spec.type=" + string(corev1.ServiceTypeLoadBalancer)
	if err := pages(ctx, core.Services(metav1.NamespaceAll).List, loadBalancers, func(l *corev1.ServiceList) { each(l.Items, f.service) }); err != nil {
		return fmt.Errorf("listing services: %w", err)
	}
	if err := pages(ctx, core.PersistentVolumes().List, "", func(l *corev1.PersistentVolumeList) { each(l.Items, f.volume) }); err != nil {
		return fmt.Errorf("listing volumes: %w", err)
	}
	if err := pages(ctx, core.PersistentVolumeClaims(metav1.NamespaceAll).List, "", func(l *corev1.PersistentVolumeClaimList) { each(l.Items, f.claim) }); err != nil {
		return fmt.Errorf("listing claims of volumes: %w", err)
	}
	if len(f.claims) == 0 {
		return nil
	}
	// Others hold no claim. Those that have ended do (pvc-protection controller of Kubernetes).
	scheduled := "spec.nodeName!="
	if err := pages(ctx, core.Pods(metav1.NamespaceAll).List, scheduled, func(l *corev1.PodList) { each(l.Items, f.pod) }); err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	return nil
}

// pages lists those of a kind that a field selector selects, page by page.
func pages[L metav1.ListInterface](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), fields string, take func(L)) error {
	options := metav1.ListOptions{Limit: perPage, FieldSelector: fields}
	for range maxPages {
		page, err := list(ctx, options)
		if err != nil {
			return err
		}
		take(page)
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
	return fmt.Errorf("there are more than %d", maxPages*perPage)
}

func each[T any](items []T, take func(*T)) {
	for i := range items {
		take(&items[i])
	}
}

// do tells an object to go, and not another one of its name.
func (d deletion) do(ctx context.Context, tenant kubernetes.Interface) error {
	options := &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &d.uid}}
	// A method of the kind waits itself, as long as an answer tells it to: for that the others
	// have no time.
	return tenant.CoreV1().RESTClient().Delete().Namespace(d.object.namespace).Resource(d.resource).Name(d.object.name).
		Body(options).MaxRetries(0).Do(ctx).Error()
}
