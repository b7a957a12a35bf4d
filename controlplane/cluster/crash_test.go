package cluster

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Marina is killed before and after each write of each kind of action, in turn, with a
// cache that is up to date and with one that is behind: every action is recorded once
// and comes to its end, and a further pass writes nothing.
func TestRule10AKilledMarinaLosesAndRepeatsNoAction(t *testing.T) {
	cases := map[string]struct {
		begin func(*world)
		want  []string
		gone  bool
	}{
		"create": {func(w *world) {}, []string{"1 Create Succeeded 4/4"}, false},
		"update": {func(w *world) {
			w.change(func(c *v1alpha1.Cluster) { c.Spec.Access.CertSANs = []string{"shop.example"} })
		}, []string{"1 Create Succeeded 4/4", "1 Update Succeeded 2/2"}, false},
		"upgrade": {func(w *world) { w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion }) },
			[]string{"1 Create Succeeded 4/4", "1 Upgrade Succeeded 7/7"}, false},
		"restart": {func(w *world) { w.ask(v1alpha1.OperationRestart) },
			[]string{"1 Create Succeeded 4/4", "1 Restart Succeeded 3/3"}, false},
		"resync": {func(w *world) { w.ask(v1alpha1.OperationResync) },
			[]string{"1 Create Succeeded 4/4", "1 Resync Succeeded 1/1"}, false},
		"rotate": {func(w *world) { w.ask(v1alpha1.OperationRotateCertificates) },
			[]string{"1 Create Succeeded 4/4", "1 RotateCertificates Succeeded 2/2"}, false},
		"renewal": {func(w *world) { at := metav1.NewTime(w.now); w.due = &at },
			[]string{"1 Create Succeeded 4/4", "1 RenewCertificates Succeeded "}, false},
		"delete": {func(w *world) {
			c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}
			w.must(w.api.Delete(context.Background(), c))
		}, []string{"1 Create Succeeded 4/4", "1 Delete Succeeded 2/2"}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			killAnywhere(t, func(t testing.TB) *world {
				w := newWorld(t)
				w.create()
				if name != "create" {
					w.settle()
				}
				return w
			}, tc.begin, tc.want, tc.gone)
		})
	}
}

// killAnywhere kills Marina before and after each write from the beginning of an action
// until nothing is written any more.
func killAnywhere(t *testing.T, newWorld func(testing.TB) *world, begin func(*world), want []string, gone bool) {
	t.Helper()
	run := func(t testing.TB, crashAt int, lost, behind bool) (writes int) {
		w := newWorld(t)
		w.writes, w.crashAt, w.lost, w.behind = 0, crashAt, lost, behind
		begin(w)
		w.settle()
		if diff := cmp.Diff(want, w.history()); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		c := &v1alpha1.Cluster{}
		switch err := w.api.Get(context.Background(), shop, c); {
		case gone && !apierrors.IsNotFound(err):
			t.Errorf("the cluster is still there: %v", err)
		case !gone && (err != nil || c.Status.Phase != v1alpha1.ClusterActive || c.Status.Operation != ""):
			t.Errorf("the cluster is %q, operation %q (%v)", c.Status.Phase, c.Status.Operation, err)
		}
		return w.writes
	}
	writes := run(t, 0, false, false)
	if writes < 3 {
		t.Fatalf("%d writes: the test looks at nothing", writes)
	}
	for crashAt := 1; crashAt <= writes; crashAt++ {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d of %d, done %t", crashAt, writes, lost), func(t *testing.T) {
				run(t, crashAt, lost, false)
				run(t, crashAt, lost, true)
			})
		}
	}
}
