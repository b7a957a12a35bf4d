package project

import (
	"fmt"
	"time"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ProblemInterval is how often it is looked again, while a person is to change something:
// credentials, a quota, what is in the way. Nobody tells of that.
const ProblemInterval = time.Minute

// ReasonUnreachable is the reason of a reconcile.KindRetry: the cloud cannot be asked, so that
// nothing is known of what is in it.
const ReasonUnreachable = "CloudUnreachable"

// Outcome is what an error of the cloud means for a pass: whether it passes by itself, and if
// not, who has to do what. Errors of another kind stay as they are.
func (p *Project) Outcome(err error, doing string) error {
	e := openstack.As(err)
	if e == nil {
		return err
	}
	result := &reconcile.Error{Kind: reconcile.KindUser, Reason: string(e.Kind), After: ProblemInterval, Err: err}
	words := func(do string) { result.Message = fmt.Sprintf("%s: %v: %s", doing, e, do) }
	switch e.Kind {
	case openstack.Throttled, openstack.Unavailable:
		result.Kind, result.Reason, result.After = reconcile.KindRetry, ReasonUnreachable, e.After
		result.Message = fmt.Sprintf("%s: %v", doing, e)
	case openstack.Conflict:
		// Something is changing at this moment, or somebody has taken what we need.
		result.Kind = reconcile.KindWait
		words("it is tried again; if that goes on, see what else uses it")
	case openstack.Unauthorized:
		words(fmt.Sprintf("replace the credentials in Secret %s: they are wrong, expired or revoked", p.secret))
		p.opener.refuse(p, result)
	case openstack.Forbidden:
		words(fmt.Sprintf("give whoever has the credentials in Secret %s the role member in the project", p.secret))
	case openstack.Untrusted:
		words(fmt.Sprintf("have the CA of the cloud put into spec.caBundle of the Infrastructure %s", p.Infrastructure.Name))
	case openstack.Quota:
		words("have the quota raised, or delete what is not needed any more")
	default:
		words("ask whoever runs the cloud")
	}
	return result
}
