package balancer

import (
	"context"
	"time"

	"github.com/marina-dev/marina/controlplane/host/local/readyz"
)

// A backend that hangs is out after at most checkInterval + checkTimeout, and its
// connections are closed checkTimeout later: together less than the 3 seconds that a
// client may notice the loss of an API server for.
const (
	checkInterval = 250 * time.Millisecond
	checkTimeout  = time.Second
	// hangsAfter is how many checks in a row must go unanswered before connections
	// are closed. One is not enough: on a busy machine an answer may be late.
	hangsAfter = 2
)

// check asks the backend until ctx is done.
func (b *backend) check(ctx context.Context, path string) {
	asker := readyz.New(readyz.Target{Address: b.address, Path: path, Timeout: checkTimeout})
	defer asker.Close()
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	unanswered := 0
	for {
		err := asker.Ask(ctx)
		if ctx.Err() != nil {
			return
		}
		b.set(err == nil, err)
		if readyz.IsTimeout(err) {
			unanswered++
		} else {
			unanswered = 0
		}
		if unanswered >= hangsAfter {
			if n := b.close(); n > 0 {
				b.log.Info("Closed its connections: it hangs", "connections", n)
			}
		}
		// While a backend does not answer, the ticker is late and fires at once, so that
		// it is asked again without delay.
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
