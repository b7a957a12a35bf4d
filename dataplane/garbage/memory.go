package garbage

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	// minAge is how old an object has to be, as far as the cloud tells.
	minAge = 10 * time.Minute
	// mostAtOnce is how many of a kind are deleted at a time. If it is wrong what we take for
	// left over, that is as many as are lost before somebody sees it.
	mostAtOnce = 3
)

// memory is what is known of a project. It is not kept beyond the process.
type memory struct {
	// ran is when it was last looked through, and used, when somebody last wanted to.
	ran, used time.Time
	// clusters are those in it that this Marina has, or has had.
	clusters map[types.UID]cluster
	// seen is when each object was first seen without an owner, by kind and by id.
	seen map[string]map[string]time.Time
}

// cluster is where the owners are that a Cluster has.
type cluster struct {
	// machines and pools are namespaces.
	machines, pools string
}

// learn takes note of the Clusters in a project.
func (m *memory) learn(ctx context.Context, from client.Reader, project string) error {
	var all v1alpha1.ClusterNetworkList
	if err := from.List(ctx, &all); err != nil {
		return err
	}
	for i := range all.Items {
		if n := &all.Items[i]; n.Status.ProjectID == project {
			m.clusters[n.Spec.ClusterRef.UID] = cluster{machines: n.Namespace, pools: n.Spec.ClusterRef.Namespace}
		}
	}
	return nil
}

// object is something in the cloud with a mark.
type object struct {
	id, name string
	mark     openstack.Mark
	// created is zero where the cloud does not tell.
	created time.Time
	// used is whether somebody uses it at this moment.
	used bool
}

// ripe are those among the objects of a kind without owners that are to be deleted now: all
// of them were without one an interval ago already. The others are remembered.
func (m *memory) ripe(kind string, orphans []object, now time.Time) []object {
	var result []object
	seen := map[string]time.Time{}
	for _, o := range orphans {
		first, known := m.seen[kind][o.id]
		if !known {
			first = now
		}
		seen[o.id] = first
		if now.Sub(first) >= interval && now.Sub(o.created) >= minAge && !o.used && len(result) < mostAtOnce {
			result = append(result, o)
		}
	}
	m.seen[kind] = seen
	return result
}
