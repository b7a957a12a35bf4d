package etcd

import (
	"context"
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestOthersAreNotDisturbed: each change of users and roles makes etcd refuse what
// is under way with the permissions of before. A tenant's client, which is the one
// that its API server uses, must get over that while others come and go.
func TestOthersAreNotDisturbed(t *testing.T) {
	w := sharedWorld(t)
	tenant := w.addTenant(t, "i")
	t.Cleanup(func() { w.removeTenant(t, tenant) })
	own := w.open(t, w.tenantPair(t, tenant))
	watching := own.Watch(context.Background(), Prefix("i"), clientv3.WithPrefix())

	stop, failed := make(chan struct{}), make(chan error, 1)
	written := 0
	go func() {
		defer close(failed)
		for {
			select {
			case <-stop:
				return
			default:
			}
			key := Prefix("i") + "key"
			_, err := own.Put(context.Background(), key, fmt.Sprint(written))
			if err == nil {
				_, err = own.Get(context.Background(), key)
			}
			if err == nil {
				_, err = own.Txn(context.Background()).If(clientv3.Compare(clientv3.Version(key), ">", 0)).Then(clientv3.OpPut(key, "txn")).Commit()
			}
			if err != nil {
				failed <- fmt.Errorf("after %d rounds: %w", written, err)
				return
			}
			written++
		}
	}()
	for i := range 5 {
		w.removeTenant(t, w.addTenant(t, fmt.Sprintf("i%d", i)))
	}
	close(stop)
	if err := <-failed; err != nil {
		t.Error(err)
	}
	if written < 5 {
		t.Errorf("only %d rounds: nothing was under way", written)
	}
	for seen := 0; seen < 2*written; {
		select {
		case event := <-watching:
			if err := event.Err(); err != nil {
				t.Fatalf("its watch ended: %v", err)
			}
			seen += len(event.Events)
		case <-soon(t).Done():
			t.Fatalf("its watch saw %d of %d changes", seen, 2*written)
		}
	}
	t.Logf("%d rounds while 5 tenants came and went", written)
}
