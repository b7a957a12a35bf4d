// Package host is what a place that runs Components can do. Its sub-packages are
// the places: Kubernetes, or the processes of one machine. Who uses a Host does
// not know which it is.
package host

import (
	"context"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Host runs Components. None of its calls waits for a process; what they began is
// seen in Status, and Subscribe tells when to look.
type Host interface {
	// Reserve returns the addresses of a Component before it is computed. Called
	// again, it returns the same ones; they stay reserved until Delete. Addresses that
	// somebody else gives may not be there yet: the error is then a reconcile.Wait that
	// says what for.
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
	Labels          map[string]string
	// Ports of each replica.
	Ports []component.Port
	// Balanced ask for one more address each, for all replicas together.
	Balanced []component.Balanced
	// Exposure is how tenants are to reach the balanced ports.
	Exposure v1alpha1.ExposureSpec
}

// ReservationOf is what a Component needs.
func ReservationOf(c component.Component) Reservation {
	return Reservation{
		Namespace: c.Namespace, Name: c.Name, Replicas: c.Replicas, Labels: c.Labels,
		Ports: c.Ports, Balanced: c.Balanced, Exposure: c.Hosting.Exposure,
	}
}
