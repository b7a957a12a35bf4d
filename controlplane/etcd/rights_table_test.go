package etcd

import (
	"context"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// What etcd answers.
const (
	allowed    = "allowed"
	refused    = "etcdserver: permission denied"
	noSuchUser = "etcdserver: user name not found"
)

// rights is what etcd lets a certificate of its CA do besides keys: for that of a
// tenant, and for that of somebody who is no user, as a probe's or a deleted
// tenant's. It is the truth of etcd 3.7.3 and not what one would wish for: what is
// "allowed" has to be bounded by other means (who gets a certificate, the network,
// the gateway), and when a new etcd changes a line, the design may too.
var rights = map[string]right{
	// Compaction is of the whole store. Before 3.6.13 everybody was allowed to.
	"Compact": {refused, noSuchUser, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.Compact(ctx, s.revision(ctx))
		return err
	}},
	"Status": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.Status(ctx, s.endpoint)
		return err
	}},
	"MemberList": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.MemberList(ctx)
		return err
	}},
	"AlarmList": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.AlarmList(ctx)
		return err
	}},
	"AuthStatus": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.AuthStatus(ctx)
		return err
	}},
	"WatchProgress": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, _ stage) error {
		return c.RequestProgress(ctx)
	}},

	// Leases belong to nobody until they hold a key.
	"LeaseGrant": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.Grant(ctx, 3600)
		return err
	}},
	"LeaseRevokeForeignEmpty": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.Revoke(ctx, s.emptyLease(ctx))
		return err
	}},
	"LeaseKeepAliveForeignEmpty": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, s stage) error {
		return operations["LeaseKeepAlive"](ctx, c, place{}, place{lease: s.emptyLease(ctx)})
	}},
	"LeaseTimeToLiveForeign": {allowed, allowed, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.TimeToLive(ctx, s.foreign.lease)
		return err
	}},
	"LeaseTimeToLiveForeignWithKeys": {refused, refused, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.TimeToLive(ctx, s.foreign.lease, clientv3.WithAttachedKeys())
		return err
	}},
	"LeaseList": {refused, refused, func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.Leases(ctx)
		return err
	}},
	// A tenant that guesses the number of a new lease can keep its owner from using
	// it. Numbers are of 63 bits and partly random.
	"AttachToForeignEmptyLease": {allowed, refused, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.Put(ctx, s.own.prefix()+"attached", "", clientv3.WithLease(s.emptyLease(ctx)))
		return err
	}},

	// A token would count for more than the certificate. Nobody has a password.
	"AuthenticateAsForeign":      authenticate(func(s stage) string { return s.foreign.uid }, ""),
	"AuthenticateAsForeignGuess": authenticate(func(s stage) string { return s.foreign.uid }, "x"),
	"AuthenticateAsRoot":         authenticate(func(stage) string { return "root" }, ""),
	"AuthenticateAsRootGuess":    authenticate(func(stage) string { return "root" }, "x"),

	"OwnUser": {allowed, noSuchUser, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.UserGet(ctx, s.own.uid)
		return err
	}},
	"OwnRole": {allowed, noSuchUser, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.RoleGet(ctx, s.own.uid)
		return err
	}},

	"UserList": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error { _, err := c.UserList(ctx); return err }),
	"UserGetForeign": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.UserGet(ctx, s.foreign.uid)
		return err
	}),
	"UserAdd": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.UserAdd(ctx, "mallory", "x")
		return err
	}),
	"UserDelete": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.UserDelete(ctx, s.foreign.uid)
		return err
	}),
	"UserPassword": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.UserChangePassword(ctx, s.own.uid, "x")
		return err
	}),
	"UserGrantRoot": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.UserGrantRole(ctx, s.own.uid, "root")
		return err
	}),
	"UserGrantForeignRole": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.UserGrantRole(ctx, s.own.uid, s.foreign.uid)
		return err
	}),
	"UserRevokeRole": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.UserRevokeRole(ctx, s.foreign.uid, s.foreign.uid)
		return err
	}),
	"RoleList": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error { _, err := c.RoleList(ctx); return err }),
	"RoleGetForeign": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.RoleGet(ctx, s.foreign.uid)
		return err
	}),
	"RoleAdd": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.RoleAdd(ctx, "mallory")
		return err
	}),
	"RoleDelete": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.RoleDelete(ctx, s.foreign.uid)
		return err
	}),
	"RoleGrant": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.RoleGrantPermission(ctx, s.own.uid, "\x00", "\x00", clientv3.PermissionType(clientv3.PermReadWrite))
		return err
	}),
	"RoleRevoke": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.RoleRevokePermission(ctx, s.foreign.uid, s.foreign.prefix(), s.foreign.end())
		return err
	}),
	"AuthEnable":  auth(func(ctx context.Context, c *clientv3.Client, _ stage) error { _, err := c.AuthEnable(ctx); return err }),
	"AuthDisable": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error { _, err := c.AuthDisable(ctx); return err }),

	"MemberAdd": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.MemberAdd(ctx, []string{"https://127.0.0.1:1"})
		return err
	}),
	"MemberAddLearner": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.MemberAddAsLearner(ctx, []string{"https://127.0.0.1:1"})
		return err
	}),
	"MemberRemove": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.MemberRemove(ctx, s.member)
		return err
	}),
	"MemberUpdate": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.MemberUpdate(ctx, s.member, []string{"https://127.0.0.1:1"})
		return err
	}),
	"MemberPromote": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.MemberPromote(ctx, s.member)
		return err
	}),
	"Defragment": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.Defragment(ctx, s.endpoint)
		return err
	}),
	"HashKV": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.HashKV(ctx, s.endpoint, 0)
		return err
	}),
	"Hash": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := pb.NewMaintenanceClient(c.ActiveConnection()).Hash(ctx, &pb.HashRequest{})
		return err
	}),
	"MoveLeader": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.MoveLeader(ctx, s.member)
		return err
	}),
	"Snapshot": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error {
		snapshot, err := c.SnapshotWithVersion(ctx)
		if err != nil {
			return err
		}
		defer snapshot.Snapshot.Close()
		_, err = io.Copy(io.Discard, snapshot.Snapshot)
		return err
	}),
	"AlarmRaise": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := pb.NewMaintenanceClient(c.ActiveConnection()).Alarm(ctx,
			&pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: s.member})
		return err
	}),
	"AlarmDisarm": auth(func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := c.AlarmDisarm(ctx, &clientv3.AlarmMember{MemberID: s.member, Alarm: pb.AlarmType_NOSPACE})
		return err
	}),
	"Downgrade": auth(func(ctx context.Context, c *clientv3.Client, _ stage) error {
		_, err := c.Downgrade(ctx, clientv3.DowngradeEnable, "3.6.0")
		return err
	}),
}

// right is what a tenant and a stranger are answered.
type right struct {
	tenant, nobody string
	try            func(ctx context.Context, c *clientv3.Client, s stage) error
}

// auth is an operation for root only.
func auth(try func(context.Context, *clientv3.Client, stage) error) right {
	return right{refused, noSuchUser, try}
}

// authenticate asks for a token of somebody else.
func authenticate(who func(stage) string, password string) right {
	const noPassword = "rpc error: code = Unknown desc = auth: authentication failed, password was given for no password user"
	return right{noPassword, noPassword, func(ctx context.Context, c *clientv3.Client, s stage) error {
		_, err := pb.NewAuthClient(c.ActiveConnection()).Authenticate(ctx, &pb.AuthenticateRequest{Name: who(s), Password: password})
		return err
	}}
}

// stage is what the operations act on.
type stage struct {
	own, foreign place
	root         *clientv3.Client
	endpoint     string
	member       uint64
}

func (s stage) revision(ctx context.Context) int64 {
	answer, err := s.root.Put(ctx, "/somebody", "")
	if err != nil {
		panic(err)
	}
	return answer.Header.Revision
}

// emptyLease is one that somebody else has just been granted.
func (s stage) emptyLease(ctx context.Context) clientv3.LeaseID {
	answer, err := s.root.Grant(ctx, 3600)
	if err != nil {
		panic(err)
	}
	return answer.ID
}
