package hosted

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// stopping notes what it is told to stop.
type stopping struct {
	idleHost
	stopped []string
}

func (h *stopping) Delete(_ context.Context, _, name string) (bool, error) {
	h.stopped = append(h.stopped, name)
	return true, nil
}

// TestAControlPlaneOutlivesEverythingButItsCluster: one that is deleted while its Cluster
// lives goes on and says so. It goes as soon as the Cluster is deleted.
func TestAControlPlaneOutlivesEverythingButItsCluster(t *testing.T) {
	p := newPlane(t)
	hcp := p.hcp()
	ref := hcp.Spec.ClusterRef
	owner := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: ref.Namespace, Name: ref.Name, UID: ref.UID, Finalizers: []string{v1alpha1.ClusterFinalizer}}}
	if err := p.api.Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if err := p.api.Delete(t.Context(), hcp); err != nil {
		t.Fatal(err)
	}
	h := &stopping{}
	pass := func() ctrl.Result {
		t.Helper()
		r := &Reconciler{Client: p.api, Live: p.api, Host: h, Now: func() time.Time { return noon }, tenants: newTenants(logr.Discard()), events: p.events}
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(hcp)})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	if result := pass(); len(h.stopped) > 0 || result.RequeueAfter == 0 {
		t.Errorf("stopped %q, %+v; want nothing, and that it looks again by itself: no event tells of the Cluster", h.stopped, result)
	}
	c := meta.FindStatusCondition(p.hcp().Status.Conditions, v1alpha1.ConditionDeleting)
	if c == nil || c.Reason != "ClusterNotDeleted" || !strings.Contains(c.Message, "kubectl -n "+ref.Namespace+" delete cluster "+ref.Name) {
		t.Errorf("condition %+v, want it to say why and what to do", c)
	}

	if err := p.api.Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	pass()
	if diff := cmp.Diff(components, h.stopped); diff != "" {
		t.Errorf("stopped (-want +got):\n%s", diff)
	}
	if err := p.api.Get(t.Context(), client.ObjectKeyFromObject(hcp), hcp); !apierrors.IsNotFound(err) {
		t.Errorf("%v: want it to be gone", err)
	}
}
