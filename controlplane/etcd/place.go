package etcd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/marina-dev/marina/pkg/reconcile"
)

// Candidate is an EtcdCluster that a tenant may be placed on.
type Candidate struct {
	Name string
	// Tenants is how many are placed there, and MaxTenants how many may be.
	Tenants, MaxTenants int32
	// Ready tells whether it could take a tenant now.
	Ready bool
}

// Place chooses the EtcdCluster with the fewest tenants among those that are ready
// and have room; of several, the first by name. The error says whether to wait or
// what a person has to do.
func Place(allowed []Candidate) (string, error) {
	if len(allowed) == 0 {
		return "", reconcile.UserError("NoEtcdCluster", "none of the EtcdClusters that this tenant may be placed on exists: create one")
	}
	var open, waiting, full []Candidate
	for _, c := range allowed {
		switch {
		case c.Tenants >= c.MaxTenants:
			full = append(full, c)
		case !c.Ready:
			waiting = append(waiting, c)
		default:
			open = append(open, c)
		}
	}
	switch {
	case len(open) > 0:
		return slices.MinFunc(open, func(a, b Candidate) int {
			return cmp.Or(cmp.Compare(a.Tenants, b.Tenants), cmp.Compare(a.Name, b.Name))
		}).Name, nil
	case len(waiting) > 0:
		return "", reconcile.Wait("WaitingForEtcdCluster", "waiting for EtcdCluster %s to be ready", list(waiting, Candidate.name))
	default:
		return "", reconcile.UserError("EtcdClustersFull", "EtcdCluster %s has no room: raise its spec.maxTenants or add an EtcdCluster", list(full, Candidate.filled))
	}
}

func (c Candidate) name() string { return c.Name }
func (c Candidate) filled() string {
	return fmt.Sprintf("%s (%d of %d tenants)", c.Name, c.Tenants, c.MaxTenants)
}

// list joins the candidates in the order of their names.
func list(candidates []Candidate, show func(Candidate) string) string {
	slices.SortFunc(candidates, func(a, b Candidate) int { return cmp.Compare(a.Name, b.Name) })
	var shown []string
	for _, c := range candidates {
		shown = append(shown, show(c))
	}
	return strings.Join(shown, ", ")
}
