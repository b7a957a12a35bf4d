package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// lookAgain is when a step that etcd does not answer looks again by itself; the
// EtcdCluster's becoming ready wakes it sooner.
const lookAgain = 30 * time.Second

// explain turns an error of etcd into what the step has to do: wait for members
// that do not answer, or try again. what is the noun of what waits ("deletion").
func explain(ctx context.Context, admin *Admin, cluster, what string, err error) error {
	var typed *reconcile.Error
	switch {
	case err == nil || errors.As(err, &typed):
		return err
	case errors.Is(err, errAuthenticationOff):
		return reconcile.WaitFor(lookAgain, "WaitingForEtcdCluster", "waiting for EtcdCluster %s: %v", cluster, err)
	case !unavailable(err):
		return reconcile.Retry(err, "EtcdError", "etcd cluster %q: %v", cluster, err)
	}
	// The pass may have run out of time: asking the members has its own.
	return outage(cluster, what, admin.Members(context.WithoutCancel(ctx)), err)
}

// outage says who does not answer, so that nobody has to look for it.
func outage(cluster, what string, members []Member, err error) error {
	down, all := silent(members), len(members)
	state := fmt.Sprintf("does not answer in time, though all members run (%v)", err)
	switch {
	case all-down < all/2+1:
		state = fmt.Sprintf("has no quorum (%d of %d members do not answer)", down, all)
	case down > 0:
		state = fmt.Sprintf("does not answer in time (%d of %d members do not answer)", down, all)
	}
	for _, m := range members {
		if m.Refusal != nil {
			state += fmt.Sprintf(", and %s refuses a certificate (%v)", m.Endpoint, m.Refusal)
			break
		}
	}
	return reconcile.WaitFor(lookAgain, "EtcdUnavailable",
		"etcd cluster %q %s: %s waits and goes on by itself when it is back", cluster, state, what)
}

// unavailable reports whether err means that etcd did not answer, or not in time,
// or has no leader: nothing that the request could do about.
func unavailable(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	code := status.Code(err)
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		code = known.Code()
	}
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}

// quorum is how many members it takes.
const quorum = component.EtcdReplicas/2 + 1
