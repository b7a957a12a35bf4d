package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// How long etcd may take. A pass must not hold up the others of its controller:
// what takes longer is tried again later.
const (
	// callTimeout is for one request.
	callTimeout = 3 * time.Second
	// probeTimeout is for asking one member how it is.
	probeTimeout = time.Second
	// deletionBudget is for all pages of a deletion that one pass deletes.
	deletionBudget = 3 * time.Second
)

// Admin administrates one EtcdCluster. Each of its methods looks first and writes
// only what differs, so that it may be called again after a crash at any point.
type Admin struct {
	client     *clientv3.Client
	connection Connection
	// pageSize is how many keys are deleted at once.
	pageSize int64
	// authenticated is true once this client has seen that authentication is on: it
	// never goes off again.
	authenticated atomic.Bool
}

// EnableAuthentication makes sure that etcd asks everybody who they are. Only
// after that may a certificate be given to a tenant: before, any certificate of
// the CA may do everything.
func (a *Admin) EnableAuthentication(ctx context.Context) error {
	on, err := a.authenticationOn(ctx)
	if on || err != nil {
		return err
	}
	user := access{user: rootUser, role: rootUser}
	if err := a.ensure(ctx, user); err != nil {
		return err
	}
	return call(ctx, func(ctx context.Context) error {
		_, err := a.client.AuthEnable(ctx)
		return err
	})
}

// authenticationOn asks whether authentication is on.
func (a *Admin) authenticationOn(ctx context.Context) (on bool, err error) {
	err = call(ctx, func(ctx context.Context) error {
		status, err := a.client.AuthStatus(ctx)
		if err != nil {
			return fmt.Errorf("asking whether authentication is on: %w", err)
		}
		on = status.Enabled
		return nil
	})
	if on {
		a.authenticated.Store(true)
	}
	return on, err
}

// errAuthenticationOff is what a tenant meets on a cluster that is not ready.
var errAuthenticationOff = errors.New("authentication is not on yet")

// requireAuthentication fails unless authentication is on.
func (a *Admin) requireAuthentication(ctx context.Context) error {
	if a.authenticated.Load() {
		return nil
	}
	on, err := a.authenticationOn(ctx)
	if err == nil && !on {
		return errAuthenticationOff
	}
	return err
}

// call runs one request with its timeout.
func call(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return request(ctx)
}

// ignore returns err unless it is one of those that say that what was asked for is
// already so.
func ignore(err error, known ...error) error {
	for _, k := range known {
		if errors.Is(err, k) {
			return nil
		}
	}
	return err
}

// absent reports whether err says that there is no such user or role.
func absent(err error) bool {
	return errors.Is(err, rpctypes.ErrUserNotFound) || errors.Is(err, rpctypes.ErrRoleNotFound)
}
