package join

import (
	"context"
	"net/netip"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	certificatesclient "k8s.io/client-go/kubernetes/typed/certificates/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Client is the part of a tenant's API that an Approver uses; kubernetes.Interface has
// it. Its user must be allowed to approve for both signers of kubelets, and to read
// nodes and the Secrets of kube-system. It must have no time-out of its own, which
// would end the watch.
type Client interface {
	CertificatesV1() certificatesclient.CertificatesV1Interface
	CoreV1() coreclient.CoreV1Interface
}

// Approver answers the requests for certificates of kubelets in one tenant. It keeps
// no cache: a request that is settled costs nothing, one that is new a few reads.
//
// There should be one for each tenant at a time. Two at once do no harm, but each
// knows only afterwards of the names that the other has just given away.
type Approver struct {
	// Client is the tenant's.
	Client Client
	// Log gets a line for each answer; its zero value is silent.
	Log logr.Logger
	// Inventory tells, where there is one, whether a machine of ours has this node
	// name, and which addresses the cloud gave it.
	Inventory func(ctx context.Context, node string) (addresses []netip.Addr, known bool, err error)
	// Reserved is what no node may serve under.
	Reserved Reserved
}

const (
	// steady is how long a watch must last to count as one that works.
	steady = 10 * time.Second
	// tellAfter is how many failures in a row are worth a line in the log.
	tellAfter = 5
)

// newBackoff is the time between two attempts to watch: short at first, since an API
// server that restarts is back soon, then long, since one that is gone costs every
// attempt.
func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 20, Cap: 10 * time.Second}
}

// Run answers requests until ctx ends.
func (a *Approver) Run(ctx context.Context) {
	s := newSession(a)
	backoff, failures := newBackoff(), 0
	for ctx.Err() == nil {
		began := time.Now()
		err := s.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= steady {
			backoff, failures = newBackoff(), 0
			if err == nil {
				continue
			}
		}
		if err != nil {
			// Once is enough: a tenant that is down is told of elsewhere, again and again.
			if failures++; failures == tellAfter {
				a.Log.Info("cannot watch certificate signing requests, so no node can join; trying on", "error", err.Error())
			}
		}
		sleep(ctx, backoff.Step())
	}
}

// sleep waits, or less when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
