package machine

import (
	"context"
	"slices"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	// collectInterval is how often it is looked for servers whose Machines are gone, and
	// orphanAge is how old those have to be.
	collectInterval, orphanAge = 15 * time.Minute, 10 * time.Minute
	// maxOrphans is how many are deleted at a time.
	maxOrphans = 3
)

// collector looks for servers that were made for Machines which are gone. That takes a
// request for a server that was done after everybody had stopped to look for it.
type collector struct {
	ran time.Time
	// seen are the orphans of the last time.
	seen map[string]bool
}

// collect deletes orphans that were seen twice. What cannot be done now is done later.
func (r *Reconciler) collect(ctx context.Context, s *scope, l *listing) {
	now := r.Now()
	s.feed.mu.Lock()
	last := s.feed.collector
	due := now.Sub(last.ran) >= collectInterval
	if due {
		s.feed.collector.ran = now
	}
	s.feed.mu.Unlock()
	if !due {
		return
	}
	log := ctrl.LoggerFrom(ctx)
	seen, deleted := map[string]bool{}, 0
	for i := range l.all {
		server := &l.all[i]
		orphan, err := r.isOrphan(ctx, s, server, now)
		if err != nil {
			log.Error(err, "looking for the Machine of a server", "server", server.ID)
			continue
		}
		if !orphan {
			continue
		}
		seen[server.ID] = true
		if !last.seen[server.ID] || deleted == maxOrphans {
			continue
		}
		if err = r.open(ctx, s); err == nil {
			err = s.compute.delete(ctx, server.ID)
		}
		if err != nil {
			log.Error(err, "deleting a server whose Machine is gone", "server", server.ID)
			continue
		}
		deleted++
		log.Info("deleted a server whose Machine is gone", "server", server.ID, "name", server.Name)
	}
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.collector.seen = seen
}

// isOrphan reports whether a server was made for a Machine that is gone, of a Cluster in this
// project that this Marina has. Of others it knows nothing.
func (r *Reconciler) isOrphan(ctx context.Context, s *scope, server *servers.Server, now time.Time) (bool, error) {
	machine, cluster := server.Metadata[keyMachine], server.Metadata[keyCluster]
	if machine == "" || cluster == "" || leaving(server) || now.Sub(server.Created) < orphanAge {
		return false, nil
	}
	var networks v1alpha1.ClusterNetworkList
	if err := r.Client.List(ctx, &networks); err != nil {
		return false, err
	}
	at := slices.IndexFunc(networks.Items, func(n v1alpha1.ClusterNetwork) bool {
		return string(n.Spec.ClusterRef.UID) == cluster && n.Status.ProjectID == s.network.Status.ProjectID
	})
	if at < 0 {
		return false, nil
	}
	// The cache is asked first, as it has nearly all of them; what it has not may be new.
	for _, reader := range []client.Reader{r.Client, r.Live} {
		var all v1alpha1.MachineList
		if err := reader.List(ctx, &all, client.InNamespace(networks.Items[at].Namespace)); err != nil {
			return false, err
		}
		if slices.ContainsFunc(all.Items, func(m v1alpha1.Machine) bool { return string(m.UID) == machine }) {
			return false, nil
		}
	}
	return true, nil
}
