package garbage

import (
	"context"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
)

// collect deletes what is left over in a project. Of a kind that cannot be listed nothing is
// deleted, and what was seen of it before stays so; a cloud that does not answer is not asked
// for the next kind, and is the error.
func (r *Reconciler) collect(ctx context.Context, p *project.Project, m *memory) error {
	for _, k := range kinds {
		if err := r.collectKind(ctx, p, m, k); err != nil {
			ctrl.LoggerFrom(ctx).Info("what is left over is not looked for", "kind", k.name, "error", err.Error())
			if e := openstack.As(err); e != nil && e.Passing() {
				return err
			}
		}
	}
	return nil
}

func (r *Reconciler) collectKind(ctx context.Context, p *project.Project, m *memory, k kind) error {
	sc, err := p.Service(ctx, k.service)
	if err != nil {
		return err
	}
	// Owners are read after it: whoever has something by now has been there before.
	found, err := k.list(ctx, sc, p.ID)
	if err != nil {
		return openstack.Classify(k.service, err)
	}
	log := ctrl.LoggerFrom(ctx).WithValues("kind", k.name)
	var orphans []object
	for _, o := range found {
		orphan, err := r.isOrphan(ctx, m, k, o)
		if err != nil {
			return err
		}
		if orphan && k.runs && o.created.Before(r.started.Add(-lateness)) {
			log.Info("this has nobody who it is for, and is too old to have been made late: delete it in the cloud, unless an old backup has been restored", "id", o.id, "name", o.name, "created", o.created)
		} else if orphan {
			orphans = append(orphans, o)
		}
	}
	for _, o := range m.ripe(k.name, orphans, r.Now()) {
		err := openstack.Classify(k.service, k.remove(ctx, sc, o.id))
		if e := openstack.As(err); e != nil && e.Silent() {
			return err
		} else if e != nil && e.Kind != openstack.NotFound {
			log.Info("what is left over cannot be deleted", "id", o.id, "name", o.name, "error", err.Error())
			m.seen[k.name][o.id] = r.Now().Add(interval) // others have their turn first
			continue
		}
		log.Info("deleted what was left over", "id", o.id, "name", o.name, "cluster", o.mark.Cluster, "owner", o.mark.Owner)
	}
	return nil
}

// isOrphan reports whether the owner of an object is gone. The cache is asked first, as it has
// nearly all of them; what it has not may be new.
func (r *Reconciler) isOrphan(ctx context.Context, m *memory, k kind, o object) (bool, error) {
	c, ours := m.clusters[o.mark.Cluster]
	if !ours {
		return false, nil
	}
	for _, reader := range []client.Reader{r.Client, r.Live} {
		owners, err := k.owners(ctx, reader, c)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(owners, func(owner client.Object) bool { return owner.GetUID() == o.mark.Owner }) {
			return false, nil
		}
	}
	return true, nil
}
