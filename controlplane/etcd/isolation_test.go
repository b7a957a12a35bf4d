package etcd

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// neighbours are UIDs that differ as little as two can: in their last character,
// and as one being the beginning of the other, with characters that come before
// and after the '/' that ends a prefix.
var neighbours = []string{
	"a", "a-0", "a0", "a00",
	"0f0f1a11-4c2a-4f57-8d0f-4e7c9f6e0000",
	"0f0f1a11-4c2a-4f57-8d0f-4e7c9f6e0001",
}

// TestTenantIsolation tries every operation of every tenant at every other's keys
// and leases.
func TestTenantIsolation(t *testing.T) {
	w := sharedWorld(t)
	root := w.root(t)
	clients, places := map[string]*clientv3.Client{}, map[string]place{}
	for _, uid := range neighbours {
		tenant := w.addTenant(t, uid)
		t.Cleanup(func() { w.removeTenant(t, tenant) })
		clients[uid] = w.open(t, w.tenantPair(t, tenant))
		places[uid] = furnish(t, clients[uid], uid)
	}

	for name, try := range operations {
		t.Run(name, func(t *testing.T) {
			for _, who := range neighbours {
				if err := try(soon(t), clients[who], places[who], places[who]); err != nil {
					t.Fatalf("%s at its own keys: %v: then being refused elsewhere proves nothing", who, err)
				}
				// What it did to its own is made good.
				places[who] = furnish(t, clients[who], who)
			}
			before := everything(t, root)
			for _, who := range neighbours {
				for _, whose := range neighbours {
					if who == whose {
						continue
					}
					if err := try(soon(t), clients[who], places[who], places[whose]); !denied(err) {
						t.Errorf("%s at the keys of %s: %v, want permission denied", who, whose, err)
					}
				}
			}
			if diff := cmp.Diff(before, everything(t, root), ignorePB); diff != "" {
				t.Errorf("refused, and yet something changed:\n%s", diff)
			}
		})
	}
}

// TestTenantStaysWithinItsPrefix tries what is nobody's, and ranges that begin or
// end within the tenant's own keys.
func TestTenantStaysWithinItsPrefix(t *testing.T) {
	w := sharedWorld(t)
	root := w.root(t)
	mine, other := w.addTenant(t, "b"), w.addTenant(t, "b0")
	t.Cleanup(func() { w.removeTenant(t, mine); w.removeTenant(t, other) })
	client := w.open(t, w.tenantPair(t, mine))
	furnish(t, client, "b")
	furnish(t, w.open(t, w.tenantPair(t, other)), "b0")
	if _, err := root.Put(soon(t), "/registry", "of nobody"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = root.Delete(soon(t), "/registry") })

	ranges := map[string]struct{ key, end string }{
		"Everything":                   {"\x00", "\x00"},
		"EverythingBelowSlash":         {"/", "0"},
		"TheSlash":                     {"/", ""},
		"TheKeyWithoutItsSlash":        {"/b", ""},
		"TheFirstKeyAfter":             {"/b0", ""},
		"TheLastKeyBefore":             {"/b.", ""},
		"FromJustBefore":               {"/b", "/b0"},
		"ToJustAfter":                  {"/b/", "/b0\x00"},
		"FromOwnToTheEndOfTheStore":    {"/b/", "\x00"},
		"FromOwnIntoTheNext":           {"/b/", "/b0/zzz"},
		"FromOwnOverTheNext":           {"/b/", "/b00"},
		"FromTheNextToItsEnd":          {"/b0/", "/b00"},
		"FromTheStartIntoOwn":          {"\x00", "/b/zzz"},
		"SomebodysKeysOutsidePrefixes": {"/registry", "/registry0"},
		"BackwardsFromTheNext":         {"/b0/zzz", "/b/"},
	}
	before := everything(t, root)
	for name, r := range ranges {
		t.Run(name, func(t *testing.T) {
			var opts []clientv3.OpOption
			if r.end != "" {
				opts = append(opts, clientv3.WithRange(r.end))
			}
			tries := map[string]func() error{
				"Get":    func() error { _, err := client.Get(soon(t), r.key, opts...); return err },
				"Delete": func() error { _, err := client.Delete(soon(t), r.key, opts...); return err },
				"Watch":  func() error { return watch(soon(t), client, r.key, r.end, 1) },
				"TxnGet": func() error { _, err := client.Txn(soon(t)).Then(clientv3.OpGet(r.key, opts...)).Commit(); return err },
				"TxnDelete": func() error {
					_, err := client.Txn(soon(t)).Else(clientv3.OpDelete(r.key, opts...)).Commit()
					return err
				},
				"TxnCompare": func() error {
					_, err := client.Txn(soon(t)).If(clientv3.Compare(clientv3.Version(r.key), "=", 0).WithRange(r.end)).Commit()
					return err
				},
			}
			if r.end == "" {
				tries["Put"] = func() error { _, err := client.Put(soon(t), r.key, "stolen"); return err }
			}
			for what, try := range tries {
				if err := try(); !denied(err) {
					t.Errorf("%s: %v, want permission denied", what, err)
				}
			}
		})
	}
	// A range that ends before it begins is let through if it begins in one's own
	// keys. It holds nothing, wherever it ends.
	back := clientv3.WithRange("/a/")
	if got, err := client.Get(soon(t), "/b/zzz", back); err != nil || len(got.Kvs) > 0 || got.Count > 0 {
		t.Errorf("backwards from its own keys: %v, %v, want nothing", got, err)
	}
	if got, err := client.Delete(soon(t), "/b/zzz", back); err != nil || got.Deleted > 0 {
		t.Errorf("deleting backwards from its own keys: %v, %v, want nothing", got, err)
	}
	if diff := cmp.Diff(before, everything(t, root), ignorePB); diff != "" {
		t.Errorf("refused, and yet something changed:\n%s", diff)
	}
}

// ignorePB compares what etcd says, and not how protobuf keeps it.
var ignorePB = cmpopts.IgnoreUnexported(mvccpb.KeyValue{})

// furnish gives a tenant keys of its own, one of them held by a lease.
func furnish(t testing.TB, c *clientv3.Client, uid string) place {
	t.Helper()
	granted, err := c.Grant(soon(t), 3600)
	if err != nil {
		t.Fatal(err)
	}
	p := place{uid: uid, key: Prefix(uid) + "key", lease: granted.ID}
	put, err := c.Put(soon(t), p.key, "of "+uid, clientv3.WithLease(p.lease))
	if err != nil {
		t.Fatal(err)
	}
	// A member that has not heard yet whose keys hang on a lease lets anybody renew it,
	// which guesses its number within that moment: etcd checks it where it is asked.
	if err := eventually(func() error {
		for _, endpoint := range c.Endpoints() {
			status, err := c.Status(soon(t), endpoint)
			if err != nil {
				return err
			}
			if status.Header.Revision < put.Header.Revision {
				return fmt.Errorf("%s is at revision %d", endpoint, status.Header.Revision)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// everything is all keys of the store with their revisions and leases.
func everything(t testing.TB, root *clientv3.Client) []*mvccpb.KeyValue {
	t.Helper()
	answer, err := root.Get(context.Background(), "\x00", clientv3.WithFromKey())
	if err != nil {
		t.Fatal(err)
	}
	return answer.Kvs
}

// TestNeighboursAreNeighbours: the isolation test is worth no more than its names.
func TestNeighboursAreNeighbours(t *testing.T) {
	for _, uid := range neighbours {
		if err := checkUID(uid); err != nil {
			t.Errorf("%s: %v", uid, err)
		}
		for _, other := range neighbours {
			if key := Prefix(other) + "key"; uid != other && key >= Prefix(uid) && key < rangeEnd(uid) {
				t.Errorf("%s is within the range of %s: [%s, %s)", key, uid, Prefix(uid), rangeEnd(uid))
			}
		}
	}
	if !slices.Contains(neighbours, "a") || !slices.Contains(neighbours, "a0") {
		t.Error("the pair a, a0 must be among them: /a0 is where the range of a ends")
	}
}
