package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

var errCrashed = errors.New("the process is dead")

// crash is a process that dies right after its n-th call that may change
// something, before it hears how that went. After that nothing it does arrives.
type crash struct {
	mu    sync.Mutex
	after int
	calls []string
	dead  bool
}

// around does a call of a process that may be dead.
func (c *crash) around(name string, call func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return errCrashed
	}
	err := call()
	c.calls = append(c.calls, name)
	if len(c.calls) == c.after {
		c.dead = true
		return errCrashed
	}
	return err
}

// etcd passes the calls of an etcd client through the crash.
func (c *crash) etcd(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return c.around(method, func() error { return invoke(ctx, method, request, answer, conn, opts...) })
}

// api passes the writes of an API client through the crash.
func (c *crash) api(api client.WithWatch) client.WithWatch {
	return apitest.AroundWrites(api, c.around)
}

// process is a controller that dies after so many calls; zero lets it live.
func (w *world) process(t testing.TB, after int) (*TenantReconciler, *crash) {
	t.Helper()
	c := &crash{after: after}
	pool := &Pool{dialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(c.etcd)}}
	t.Cleanup(pool.Close)
	return &TenantReconciler{Client: c.api(w.api), Pool: pool}, c
}

// run reconciles until the process is dead or it is done.
func (c *crash) run(pass func() (done bool, err error)) (done bool) {
	for {
		done, _ := pass()
		if done || c.dead {
			return done
		}
	}
}

// TestTenantIsMadeWhateverCrashes kills the controller after each of its calls in
// turn. The next process must finish the work, and leave what a single run leaves.
func TestTenantIsMadeWhateverCrashes(t *testing.T) {
	w := sharedWorld(t)
	for after := 1; ; after++ {
		uid := fmt.Sprintf("made-%d", after)
		tenant := newTenant(uid)
		if err := w.api.Create(context.Background(), tenant); err != nil {
			t.Fatal(err)
		}
		first, c := w.process(t, after)
		finished := c.run(func() (bool, error) {
			_, err := first.Reconcile(context.Background(), requestFor(tenant))
			return err == nil && w.ready(t, tenant), err
		})
		second, _ := w.process(t, 0)
		if err := w.runTenant(second, tenant); err != nil {
			t.Fatalf("after a crash at call %d (%v): %v", after, c.calls, err)
		}
		w.checkComplete(t, tenant, after, c.calls)
		w.removeTenant(t, tenant)
		if finished && !c.dead {
			t.Logf("%d calls: %v", len(c.calls), c.calls)
			if len(c.calls) < 10 {
				t.Errorf("only %d calls have been seen: the crashes are not where they should be", len(c.calls))
			}
			return
		}
	}
}

// TestTenantDeletionWhateverCrashes kills the controller after each of its calls
// while it deletes a tenant of several pages.
func TestTenantDeletionWhateverCrashes(t *testing.T) {
	w := sharedWorld(t)
	root := w.root(t)
	neighbour := w.addTenant(t, "gone")
	t.Cleanup(func() { w.removeTenant(t, neighbour) })
	furnish(t, w.open(t, w.tenantPair(t, neighbour)), "gone")
	keysBefore, authBefore := everything(t, root), authState(t, root)

	for after := 1; ; after++ {
		tenant := w.addTenant(t, fmt.Sprintf("gone-%d", after))
		leases := fill(t, w.open(t, w.tenantPair(t, tenant)), tenant.Spec.TenantUID, 5)
		if err := w.api.Delete(context.Background(), tenant); err != nil {
			t.Fatal(err)
		}
		first, c := w.process(t, after)
		first.Pool.smallPages(t, w, tenant)
		finished := c.run(func() (bool, error) {
			_, err := first.Reconcile(context.Background(), requestFor(tenant))
			gone := client.IgnoreNotFound(w.api.Get(context.Background(), client.ObjectKeyFromObject(tenant), &v1alpha1.EtcdTenant{})) == nil &&
				w.api.Get(context.Background(), client.ObjectKeyFromObject(tenant), &v1alpha1.EtcdTenant{}) != nil
			return err == nil && gone, err
		})
		second, _ := w.process(t, 0)
		if err := w.runDeletion(second, tenant); err != nil {
			t.Fatalf("after a crash at call %d (%v): %v", after, c.calls, err)
		}
		if diff := cmp.Diff(keysBefore, everything(t, root), ignorePB); diff != "" {
			t.Errorf("after a crash at call %d (%v), keys:\n%s", after, c.calls, diff)
		}
		if diff := cmp.Diff(authBefore, authState(t, root)); diff != "" {
			t.Errorf("after a crash at call %d (%v), users and roles:\n%s", after, c.calls, diff)
		}
		// A crash may leave a lease without keys, which ends by itself. A deletion that
		// is not disturbed leaves none.
		if finished && !c.dead {
			for _, id := range leases {
				if left, err := root.TimeToLive(soon(t), id); err != nil || left.TTL > 0 {
					t.Errorf("lease %d lives on: %+v, %v", id, left, err)
				}
			}
			t.Logf("%d calls: %v", len(c.calls), c.calls)
			if len(c.calls) < 10 {
				t.Errorf("only %d calls have been seen: the crashes are not where they should be", len(c.calls))
			}
			return
		}
	}
}

// smallPages makes a deletion take several pages.
func (p *Pool) smallPages(t testing.TB, w *world, tenant *v1alpha1.EtcdTenant) {
	t.Helper()
	admin, err := connect(context.Background(), w.api, p, w.cluster())
	if err != nil {
		t.Fatal(err)
	}
	admin.pageSize = 2
}

// fill gives a tenant keys, every other one held by a lease.
func fill(t testing.TB, c *clientv3.Client, uid string, keys int) (leases []clientv3.LeaseID) {
	t.Helper()
	for i := range keys {
		var opts []clientv3.OpOption
		if i%2 == 0 {
			granted, err := c.Grant(soon(t), 3600)
			if err != nil {
				t.Fatal(err)
			}
			leases = append(leases, granted.ID)
			opts = append(opts, clientv3.WithLease(granted.ID))
		}
		if _, err := c.Put(soon(t), fmt.Sprintf("%skey-%d", Prefix(uid), i), "", opts...); err != nil {
			t.Fatal(err)
		}
	}
	return leases
}

// checkComplete compares a tenant with what it should have.
func (w *world) checkComplete(t testing.TB, tenant *v1alpha1.EtcdTenant, after int, calls []string) {
	t.Helper()
	uid := tenant.Spec.TenantUID
	auth := authState(t, w.root(t))
	for key, want := range map[string]string{
		"user " + uid: "[" + uid + "]",
		"role " + uid: "READWRITE [/" + uid + "/, /" + uid + "0)",
	} {
		if auth[key] != want {
			t.Errorf("after a crash at call %d (%v): %s is %q, want %q", after, calls, key, auth[key], want)
		}
	}
	if tenant.Status.EtcdCluster != cluster || tenant.Status.Prefix != "/"+uid+"/" || len(tenant.Status.Endpoints) != 3 {
		t.Errorf("after a crash at call %d (%v): status %+v", after, calls, tenant.Status)
	}
	if _, err := w.open(t, w.tenantPair(t, tenant)).Put(soon(t), Prefix(uid)+"key", ""); err != nil {
		t.Errorf("after a crash at call %d (%v): writing with its certificate: %v", after, calls, err)
	}
}
