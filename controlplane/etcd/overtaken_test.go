package etcd

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestOldCopyDecidesNothing: a cache that lags must not make a placed tenant be
// placed anew, nor end a deletion as if it had never been placed.
func TestOldCopyDecidesNothing(t *testing.T) {
	for name, deleted := range map[string]bool{"Placement": false, "Deletion": true} {
		t.Run(name, func(t *testing.T) {
			var clusters []client.Object
			for _, name := range []string{"default", "elsewhere"} {
				c := newCluster()
				c.Name = name
				c.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
				clusters = append(clusters, c)
			}
			tenant := newTenant("x")
			tenant.Finalizers = []string{v1alpha1.EtcdTenantFinalizer}
			api := newAPI(append(clusters, tenant)...)
			ctx, key := context.Background(), client.ObjectKeyFromObject(tenant)
			if deleted {
				if err := api.Delete(ctx, tenant); err != nil {
					t.Fatal(err)
				}
			}
			old := &v1alpha1.EtcdTenant{}
			if err := api.Get(ctx, key, old); err != nil {
				t.Fatal(err)
			}
			newest := old.DeepCopy()
			newest.Status.EtcdCluster = "elsewhere"
			if err := api.Status().Update(ctx, newest); err != nil {
				t.Fatal(err)
			}

			lagging := interceptor.NewClient(api, interceptor.Funcs{
				Get: func(ctx context.Context, api client.WithWatch, k client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					if stale, ok := obj.(*v1alpha1.EtcdTenant); ok {
						old.DeepCopyInto(stale)
						return nil
					}
					return api.Get(ctx, k, obj, opts...)
				},
			})
			r := &TenantReconciler{Client: lagging, Pool: &Pool{}}
			result, err := r.Reconcile(ctx, requestFor(tenant))
			if err != nil || result.RequeueAfter == 0 {
				t.Errorf("%+v, %v; want it to look again", result, err)
			}
			got := &v1alpha1.EtcdTenant{}
			if err := api.Get(ctx, key, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(newest, got); diff != "" {
				t.Errorf("the newest copy has changed:\n%s", diff)
			}
		})
	}
}
