package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// deletionPage is how many keys are deleted at once: one deletion holds up all
// writers of the store, and a page of this size for about a millisecond.
const deletionPage = 500

// DeleteTenant deletes all that a tenant has left: its user, its keys with their
// leases, and its role. It returns how many keys are still there when its time is
// up; zero means that nothing is left.
//
// The user goes first. From then on nobody can write under the prefix, so that
// what is found empty stays empty.
func (a *Admin) DeleteTenant(ctx context.Context, uid string) (left int64, err error) {
	if err := checkUID(uid); err != nil {
		return 0, err
	}
	if err := call(ctx, func(ctx context.Context) error {
		_, err := a.client.UserDelete(ctx, uid)
		return ignore(err, rpctypes.ErrUserNotFound)
	}); err != nil {
		return 0, fmt.Errorf("deleting user %q: %w", uid, err)
	}
	if left, err := a.deleteKeys(ctx, uid); left > 0 || err != nil {
		return left, err
	}
	if err := call(ctx, func(ctx context.Context) error {
		_, err := a.client.RoleDelete(ctx, uid)
		return ignore(err, rpctypes.ErrRoleNotFound)
	}); err != nil {
		return 0, fmt.Errorf("deleting role %q: %w", uid, err)
	}
	return 0, nil
}

// deleteKeys deletes page after page until none is left or its time is up, and
// returns how many keys are left.
func (a *Admin) deleteKeys(ctx context.Context, uid string) (left int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, deletionBudget)
	defer cancel()
	for first := true; ; first = false {
		// The deletion went well so far: time that is up is no error.
		remaining, err := a.deletePage(ctx, uid)
		switch {
		case err != nil && !first && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return max(left, 1), nil
		case err != nil:
			return 0, fmt.Errorf("deleting the keys below %q: %w", Prefix(uid), err)
		case remaining == 0:
			return 0, nil
		}
		left = remaining
	}
}

// deletePage deletes the first keys of the prefix and returns how many there were
// after them. That none is left is known only from a page that was found empty.
func (a *Admin) deletePage(ctx context.Context, uid string) (remaining int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	page, err := a.client.Get(ctx, Prefix(uid), clientv3.WithRange(rangeEnd(uid)), clientv3.WithKeysOnly(), clientv3.WithLimit(a.pageSize),
		// Since 3.7, keys alone come from the index, which knows no leases. Asked to
		// sort by value, etcd reads the values; it still sends none.
		clientv3.WithSort(clientv3.SortByValue, clientv3.SortNone))
	if err != nil || len(page.Kvs) == 0 {
		return 0, err
	}
	// A lease holds keys of one tenant only: etcd lets nobody attach a key to a lease
	// that holds a key which they may not write. Left alone, it would live on empty,
	// those of events for hours.
	for i, id := range leases(page.Kvs) {
		_, err := a.client.Revoke(ctx, id)
		if err = ignore(err, rpctypes.ErrLeaseNotFound); err != nil && i > 0 && ctx.Err() != nil {
			// So many leases that the time is up: their keys went with them.
			return page.Count, nil
		}
		if err != nil {
			return 0, err
		}
	}
	last := string(slices.MaxFunc(page.Kvs, func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) }).Key)
	// The smallest key after the last one is the same with a zero byte.
	if _, err := a.client.Delete(ctx, Prefix(uid), clientv3.WithRange(last+"\x00")); err != nil {
		return 0, err
	}
	return max(page.Count-int64(len(page.Kvs)), 1), nil
}

// leases are the leases that keys are attached to, each once.
func leases(kvs []*mvccpb.KeyValue) []clientv3.LeaseID {
	var ids []clientv3.LeaseID
	seen := map[int64]bool{0: true}
	for _, kv := range kvs {
		if !seen[kv.Lease] {
			seen[kv.Lease] = true
			ids = append(ids, clientv3.LeaseID(kv.Lease))
		}
	}
	return ids
}
