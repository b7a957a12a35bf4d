package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
)

// place is a tenant's place as somebody else may see it.
type place struct {
	uid string
	// key exists and holds a value; lease holds it.
	key   string
	lease clientv3.LeaseID
}

func (p place) prefix() string { return Prefix(p.uid) }
func (p place) end() string    { return rangeEnd(p.uid) }

// operations are the ways to read or change keys and leases. Each is tried by
// every tenant at its own place, where it must succeed, and at each other's, where
// it must be refused: own is the place of who tries, and at the place it is tried
// at.
var operations = map[string]func(ctx context.Context, c *clientv3.Client, own, at place) error{
	"Get": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Get(ctx, at.key)
		return err
	},
	"GetSerializable": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Get(ctx, at.key, clientv3.WithSerializable())
		return err
	},
	"GetPrefix": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Get(ctx, at.prefix(), clientv3.WithPrefix())
		return err
	},
	"GetOldRevision": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		now, err := c.Get(ctx, at.prefix(), clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return err
		}
		_, err = c.Get(ctx, at.key, clientv3.WithRev(now.Header.Revision))
		return err
	},
	"CountPrefix": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Get(ctx, at.prefix(), clientv3.WithPrefix(), clientv3.WithCountOnly())
		return err
	},
	"GetFromKey": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		if own == at {
			// To the end of the store is never one's own: see the ranges.
			return nil
		}
		_, err := c.Get(ctx, at.key, clientv3.WithFromKey())
		return err
	},
	"RangeStream": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		stream, err := pb.NewKVClient(c.ActiveConnection()).RangeStream(ctx, &pb.RangeRequest{Key: []byte(at.prefix()), RangeEnd: []byte(at.end())})
		for err == nil {
			_, err = stream.Recv()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	},
	"Put": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Put(ctx, at.key, "stolen")
		return err
	},
	"PutPrevKV": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Put(ctx, at.key, "stolen", clientv3.WithPrevKV())
		return err
	},
	"PutNewKey": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Put(ctx, at.prefix()+"new", "stolen")
		return err
	},
	"Delete": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Delete(ctx, at.key)
		return err
	},
	"DeletePrevKV": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Delete(ctx, at.key, clientv3.WithPrevKV())
		return err
	},
	"DeletePrefix": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Delete(ctx, at.prefix(), clientv3.WithPrefix())
		return err
	},

	"TxnCompare": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) { return cmps(exists(at)), nil, nil }),
	"TxnCompareValue": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return cmps(clientv3.Compare(clientv3.Value(at.key), "=", "x")), nil, nil
	}),
	"TxnComparePrefix": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return cmps(exists(at).WithRange(at.end())), nil, nil
	}),
	"TxnThenGet": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, ops(clientv3.OpGet(at.key)), nil
	}),
	"TxnThenPut": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, ops(clientv3.OpPut(at.key, "stolen")), nil
	}),
	"TxnThenDelete": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, ops(clientv3.OpDelete(at.key)), nil
	}),
	// Without a comparison "else" is never done: it must be refused all the same.
	"TxnElseGet": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, nil, ops(clientv3.OpGet(at.key))
	}),
	"TxnElsePut": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, nil, ops(clientv3.OpPut(at.key, "stolen"))
	}),
	"TxnElseDelete": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, nil, ops(clientv3.OpDelete(at.key))
	}),
	"TxnElseDeletePrefix": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, nil, ops(clientv3.OpDelete(at.prefix(), clientv3.WithPrefix()))
	}),
	"TxnNested": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, ops(clientv3.OpTxn(nil, ops(clientv3.OpGet(at.key)), ops(clientv3.OpDelete(at.key)))), nil
	}),
	"TxnNestedCompare": txn(func(at place) ([]clientv3.Cmp, []clientv3.Op, []clientv3.Op) {
		return nil, ops(clientv3.OpTxn(cmps(exists(at)), nil, nil)), nil
	}),

	"Watch": func(ctx context.Context, c *clientv3.Client, _, at place) error { return watch(ctx, c, at.key, "", 0) },
	"WatchPrefix": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		return watch(ctx, c, at.prefix(), at.end(), 0)
	},
	"WatchPrefixHistory": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		return watch(ctx, c, at.prefix(), at.end(), 1)
	},

	"PutWithLease": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		_, err := c.Put(ctx, own.prefix()+"attached", "", clientv3.WithLease(at.lease))
		return err
	},
	"PutWithOwnLease": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		_, err := c.Put(ctx, at.key, "stolen", clientv3.WithLease(own.lease))
		return err
	},
	"TxnElsePutWithLease": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		_, err := c.Txn(ctx).Else(clientv3.OpPut(own.prefix()+"attached", "", clientv3.WithLease(at.lease))).Commit()
		return err
	},
	"LeaseRevoke": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.Revoke(ctx, at.lease)
		return err
	},
	"LeaseKeepAlive": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		stream, err := pb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(at.lease)}); err != nil {
			return err
		}
		_, err = stream.Recv()
		return err
	},
	"LeaseTimeToLiveWithKeys": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := c.TimeToLive(ctx, at.lease, clientv3.WithAttachedKeys())
		return err
	},

	// The services below are built from those above, within the server.
	"Lock": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		_, err := v3lockpb.NewLockClient(c.ActiveConnection()).Lock(ctx, &v3lockpb.LockRequest{Name: []byte(at.prefix() + "lock"), Lease: int64(own.lease)})
		return err
	},
	"Unlock": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := v3lockpb.NewLockClient(c.ActiveConnection()).Unlock(ctx, &v3lockpb.UnlockRequest{Key: []byte(at.key)})
		return err
	},
	"ElectionCampaign": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		_, err := election(c).Campaign(ctx, &v3electionpb.CampaignRequest{Name: []byte(at.prefix() + "election"), Lease: int64(own.lease)})
		return err
	},
	"ElectionLeader": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		_, err := election(c).Leader(ctx, &v3electionpb.LeaderRequest{Name: []byte(strings.TrimSuffix(at.prefix(), "/"))})
		return err
	},
	"ElectionObserve": func(ctx context.Context, c *clientv3.Client, _, at place) error {
		stream, err := election(c).Observe(ctx, &v3electionpb.LeaderRequest{Name: []byte(strings.TrimSuffix(at.prefix(), "/"))})
		if err != nil {
			return err
		}
		answer, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			// Who is refused is told so by the end of the stream only. Its own keys
			// have shown that there is an answer otherwise.
			return rpctypes.ErrPermissionDenied
		case err == nil && answer.Kv == nil:
			return errors.New("an answer without a key")
		}
		return err
	},
	"ElectionProclaim": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		leader := &v3electionpb.LeaderKey{Name: []byte(at.prefix() + "election"), Key: []byte(at.key), Rev: 1, Lease: int64(own.lease)}
		_, err := election(c).Proclaim(ctx, &v3electionpb.ProclaimRequest{Leader: leader, Value: []byte("stolen")})
		return notLeader(err)
	},
	"ElectionResign": func(ctx context.Context, c *clientv3.Client, own, at place) error {
		leader := &v3electionpb.LeaderKey{Name: []byte(at.prefix() + "election"), Key: []byte(at.key), Rev: 1, Lease: int64(own.lease)}
		_, err := election(c).Resign(ctx, &v3electionpb.ResignRequest{Leader: leader})
		return err
	},
}

func txn(parts func(at place) (compare []clientv3.Cmp, then, otherwise []clientv3.Op)) func(context.Context, *clientv3.Client, place, place) error {
	return func(ctx context.Context, c *clientv3.Client, _, at place) error {
		compare, then, otherwise := parts(at)
		_, err := c.Txn(ctx).If(compare...).Then(then...).Else(otherwise...).Commit()
		return err
	}
}

func exists(at place) clientv3.Cmp          { return clientv3.Compare(clientv3.Version(at.key), ">", 0) }
func cmps(c ...clientv3.Cmp) []clientv3.Cmp { return c }
func ops(o ...clientv3.Op) []clientv3.Op    { return o }
func election(c *clientv3.Client) v3electionpb.ElectionClient {
	return v3electionpb.NewElectionClient(c.ActiveConnection())
}

// notLeader forgives that the key was not made by an election: etcd looked at it.
func notLeader(err error) error {
	if err != nil && strings.Contains(err.Error(), "not leader") {
		return nil
	}
	return err
}

// watch returns nil when the watch has been created, and why it was refused
// otherwise. Nothing may be delivered by a watch that is refused.
func watch(ctx context.Context, c *clientv3.Client, key, end string, revision int64) error {
	stream, err := pb.NewWatchClient(c.ActiveConnection()).Watch(ctx)
	if err != nil {
		return err
	}
	create := &pb.WatchCreateRequest{Key: []byte(key), RangeEnd: []byte(end), StartRevision: revision, PrevKv: true}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		return err
	}
	answer, err := stream.Recv()
	switch {
	case err != nil:
		return err
	case !answer.Canceled:
		return nil
	case len(answer.Events) > 0:
		return fmt.Errorf("refused (%s), yet it got %d events", answer.CancelReason, len(answer.Events))
	default:
		return errors.New(answer.CancelReason)
	}
}

// denied reports whether err is etcd's "permission denied", and not merely some
// failure or an empty answer.
func denied(err error) bool {
	return errors.Is(err, rpctypes.ErrPermissionDenied) ||
		err != nil && strings.HasSuffix(err.Error(), rpctypes.ErrorDesc(rpctypes.ErrGRPCPermissionDenied))
}
