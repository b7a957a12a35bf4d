package project

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/reconcile"
)

// refusedInterval is how often credentials are tried that a cloud has refused and that are
// still the same: clouds lock users that try too often.
const refusedInterval = 10 * time.Minute

// refusal is why a cloud has refused a Secret as it was, and until when it is not tried.
type refusal struct {
	version string
	cloud   string
	until   time.Time
	why     error
}

// cloud tells where the credentials are tried from elsewhere, or otherwise trusted.
func (p *Project) cloud() string {
	return string(p.Infrastructure.UID) + p.Infrastructure.Spec.AuthURL + p.Infrastructure.Spec.CABundle
}

// wasRefused is why the cloud has refused the Secret as it is; nil if it has not, or may be
// asked once more.
func (o *Opener) wasRefused(p *Project) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := o.refused[p.secret]
	if last.version != p.version || last.cloud != p.cloud() || !o.Now().Before(last.until) {
		return nil
	}
	return last.why
}

// refuse remembers that the cloud has refused the Secret. Who is told so by somebody who has
// not asked the cloud again does not put the next attempt off.
func (o *Opener) refuse(p *Project, why *reconcile.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.Now()
	for secret, last := range o.refused {
		if !now.Before(last.until) {
			delete(o.refused, secret)
		}
	}
	if last := o.refused[p.secret]; last.version == p.version && last.cloud == p.cloud() {
		return
	}
	if o.refused == nil {
		o.refused = map[types.NamespacedName]refusal{}
	}
	o.refused[p.secret] = refusal{version: p.version, cloud: p.cloud(), until: now.Add(refusedInterval), why: why}
}
