// Package host is what a place that runs Components can do. Its sub-packages are
// the places: Kubernetes, or the processes of one machine. Who uses a Host does
// not know which it is.
package host

import (
	"context"

	"github.com/marina-dev/marina/controlplane/component"
)

// Host runs Components. None of its calls waits for a process; what they began is
// seen in Status, and Subscribe tells when to look.
type Host interface {
	// Reserve returns the addresses of a Component before it is computed. Called
	// again, it returns the same ones; they stay reserved until Delete.
	Reserve(ctx context.Context, r Reservation) (component.Addresses, error)

	// Apply makes the host run the Component as given. Applied again unchanged it
	// does nothing. What a Mount names must exist. A change that needs a restart
	// goes through the replicas one by one, the next only when the one before is
	// ready; so does Apply of what is not ready yet, which never takes down what
	// serves.
	Apply(ctx context.Context, c component.Component) error

	// Status tells how a Component is. One that was never applied is Gone.
	Status(ctx context.Context, namespace, name string) (component.Status, error)

	// Delete stops a Component and removes all that is left of it. It returns true
	// once nothing is.
	Delete(ctx context.Context, namespace, name string) (gone bool, err error)

	// Subscribe calls notify with the namespace and name of a Component whose
	// Status has changed. notify must not block.
	Subscribe(notify func(namespace, name string))
}

// Reservation asks for addresses.
type Reservation struct {
	Namespace, Name string
	Replicas        int
	// Ports by name, for each replica.
	Ports []string
	// Balanced asks for one more address, for all replicas together.
	Balanced bool
}
