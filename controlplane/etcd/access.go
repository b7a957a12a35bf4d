package etcd

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// access is a user, its one role, and the one range of keys that the role covers.
type access struct {
	user, role string
	// key and end are the range. Without a key, the role's permissions are not
	// looked at.
	key, end string
}

// tenantAccess is what a tenant may do.
func tenantAccess(uid string) access {
	return access{user: uid, role: uid, key: Prefix(uid), end: rangeEnd(uid)}
}

// EnsureTenant makes sure that the tenant's user may read and write the keys of its
// prefix, and nothing else. It asks twice and, for a new tenant, changes four
// times, of which three make the members compute all permissions anew: there is no
// way with fewer.
func (a *Admin) EnsureTenant(ctx context.Context, uid string) error {
	if err := checkUID(uid); err != nil {
		return err
	}
	if err := a.requireAuthentication(ctx); err != nil {
		return err
	}
	return a.ensure(ctx, tenantAccess(uid))
}

// ensure makes user, role and permission what they should be. The role comes first
// and the user's right to it last: at no time may the user do more than it should.
func (a *Admin) ensure(ctx context.Context, want access) error {
	if err := a.ensureRole(ctx, want); err != nil {
		return fmt.Errorf("role %q: %w", want.role, err)
	}
	if err := a.ensureUser(ctx, want); err != nil {
		return fmt.Errorf("user %q: %w", want.user, err)
	}
	return nil
}

func (a *Admin) ensureRole(ctx context.Context, want access) error {
	var have []*authpb.Permission
	err := call(ctx, func(ctx context.Context) error {
		role, err := a.client.RoleGet(ctx, want.role)
		if absent(err) {
			_, err := a.client.RoleAdd(ctx, want.role)
			return ignore(err, rpctypes.ErrRoleAlreadyExist)
		}
		if err != nil {
			return err
		}
		have = role.Perm
		return nil
	})
	if err != nil || want.key == "" {
		return err
	}

	granted := false
	for _, p := range have {
		switch {
		case string(p.Key) != want.key || string(p.RangeEnd) != want.end:
			if err := call(ctx, func(ctx context.Context) error {
				_, err := a.client.RoleRevokePermission(ctx, want.role, string(p.Key), string(p.RangeEnd))
				return ignore(err, rpctypes.ErrPermissionNotGranted)
			}); err != nil {
				return err
			}
		case p.PermType == authpb.Permission_READWRITE:
			granted = true
		}
	}
	if granted {
		return nil
	}
	return call(ctx, func(ctx context.Context) error {
		_, err := a.client.RoleGrantPermission(ctx, want.role, want.key, want.end, clientv3.PermissionType(clientv3.PermReadWrite))
		return err
	})
}

func (a *Admin) ensureUser(ctx context.Context, want access) error {
	var roles []string
	err := call(ctx, func(ctx context.Context) error {
		user, err := a.client.UserGet(ctx, want.user)
		if absent(err) {
			// Without a password nobody can be this user who has not its certificate.
			_, err := a.client.UserAddWithOptions(ctx, want.user, "", &clientv3.UserAddOptions{NoPassword: true})
			return ignore(err, rpctypes.ErrUserAlreadyExist)
		}
		if err != nil {
			return err
		}
		roles = user.Roles
		return nil
	})
	if err != nil {
		return err
	}
	for _, role := range roles {
		if role == want.role {
			continue
		}
		if err := call(ctx, func(ctx context.Context) error {
			_, err := a.client.UserRevokeRole(ctx, want.user, role)
			return ignore(err, rpctypes.ErrRoleNotGranted)
		}); err != nil {
			return err
		}
	}
	if slices.Contains(roles, want.role) {
		return nil
	}
	return call(ctx, func(ctx context.Context) error {
		_, err := a.client.UserGrantRole(ctx, want.user, want.role)
		return err
	})
}
