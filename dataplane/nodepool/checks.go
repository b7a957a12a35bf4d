package nodepool

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// checks are what the looks at clouds came to. They are not kept beyond the process: a new one
// looks once more when a pool is to have nodes.
type checks struct {
	mu       sync.Mutex
	pools    map[types.NamespacedName]check
	projects map[place]*answers
}

// place is a project in a region of a cloud, as credentials show it.
type place struct {
	authURL, region, project string
	credentials              client.ObjectKey
}

// check is the last look for a pool.
type check struct {
	// uid, generation and needs are what it was about; it says nothing of others.
	uid        types.UID
	generation int64
	needs      needs
	found      findings
	// due is when to look again; zero is never.
	due time.Time
}

// checkCloud refuses what the pool names and the cloud does not have. It is asked when a node is
// to be made and the spec has changed since, and again while something is missing: nobody tells
// when that is there. Where it does not answer nothing is refused.
func (r *Reconciler) checkCloud(ctx context.Context, s *scope) error {
	n, now, key := s.needs(), r.Now(), client.ObjectKeyFromObject(s.pool)
	last, made := r.checks.last(key)
	if last.uid != s.pool.UID || !reflect.DeepEqual(last.needs, n) {
		last, made = check{}, false
	}
	fresh := made && last.generation == s.pool.Generation && (last.due.IsZero() || now.Before(last.due))
	if !fresh && s.blocked == nil {
		last = check{uid: s.pool.UID, generation: s.pool.Generation, needs: n, found: r.look(ctx, s, n).or(last.found)}
	}
	infra := s.infra.Spec
	refused := reconcile.As(refusal(n, last.found, s.network.Status.ProjectID, infra.Region))
	if !fresh && s.blocked == nil {
		if refused != nil || !last.found.answer(n) {
			last.due = now.Add(project.ProblemInterval)
		}
		r.checks.remember(key, last)
	}
	if refused == nil {
		return nil
	}
	if refused.After = project.ProblemInterval; last.due.After(now) {
		refused.After = last.due.Sub(now)
	}
	return refused
}

// needs are those of the template. What the Infrastructure offers has been checked.
func (s *scope) needs() needs {
	t := s.template()
	n := needs{zone: t.AvailabilityZone, networks: t.Networks, groups: t.SecurityGroups, image: t.Image, diskGiB: t.DiskGiB}
	for _, image := range s.infra.Status.Images {
		if t.Image == "" && image.Release == t.Release {
			n.image, n.release = image.ID, image.Release
		}
	}
	if at := slices.IndexFunc(s.infra.Status.Flavors, func(f v1alpha1.InfrastructureFlavor) bool { return f.Name == t.Flavor }); at >= 0 {
		n.flavor = s.infra.Status.Flavors[at]
	}
	return n
}

func (c *checks) last(pool types.NamespacedName) (check, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, made := c.pools[pool]
	return last, made
}

func (c *checks) remember(pool types.NamespacedName, last check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pools == nil {
		c.pools = map[types.NamespacedName]check{}
	}
	c.pools[pool] = last
}

func (c *checks) forget(pool types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pools, pool)
}

// answers are those of the project that a pool is in. Old ones go.
func (c *checks) answers(s *scope, now time.Time) *answers {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.projects == nil {
		c.projects = map[place]*answers{}
	}
	for other, a := range c.projects {
		if now.Sub(a.used) > answerLife {
			delete(c.projects, other) // who still has it goes on with it
		}
	}
	spec := s.network.Spec
	at := place{
		authURL: s.infra.Spec.AuthURL, region: s.infra.Spec.Region, project: s.network.Status.ProjectID,
		credentials: client.ObjectKey{Namespace: spec.ClusterRef.Namespace, Name: spec.CredentialsRef.Name},
	}
	if c.projects[at] == nil {
		c.projects[at] = &answers{known: map[subject]answer{}}
	}
	c.projects[at].used = now
	return c.projects[at]
}
