package network

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
)

func (r *Reconciler) readInfrastructure(ctx context.Context, s *scope) (err error) {
	s.infra, err = r.Projects.Infrastructure(ctx, s.network)
	return err
}

// open opens the project, which is written down first of all: where none is, nothing has
// been made.
func (r *Reconciler) open(ctx context.Context, s *scope) error {
	p, err := r.Projects.Open(ctx, s.network, s.infra)
	if err != nil {
		return err
	}
	s.project = p
	sc, err := p.Service(ctx, openstack.Network)
	if err != nil {
		return p.Outcome(err, "looking for Neutron")
	}
	s.cloud = newCloud(sc, p.ID, s.network.Spec.ClusterRef)
	if status := &s.network.Status; status.ProjectID == "" {
		status.ProjectID = p.ID
		// What it was read from may be behind: then it is written already, and is not
		// overwritten.
		patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
		if err := r.Client.Status().Patch(ctx, s.network, patch); err != nil {
			return fmt.Errorf("writing the project down: %w", err)
		}
		s.before = s.network.DeepCopy()
	}
	return nil
}
