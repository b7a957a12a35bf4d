package clusters

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// checkUpgrade refuses what would change nothing, or would be refused by the API or the
// controller later.
func checkUpgrade(ctx context.Context, c client.Reader, cluster *v1alpha1.Cluster, to string) error {
	list := fmt.Sprintf("'marina cluster upgrade %s' lists what it may be upgraded to", ref(cluster))
	wanted, err := release.Parse(to)
	if err != nil {
		return failure.New(list, "VERSION: %v", err)
	}
	from, err := runs(cluster)
	if err != nil {
		return err
	}
	if wanted == from && !changesVersion(cluster) {
		return failure.New(list, "cluster %q runs %s already: there is nothing to upgrade", cluster.Name, to)
	}
	if why := notNow(cluster); why != nil {
		return why
	}
	offered, err := session.VersionsFor(ctx, c, cluster)
	if err != nil {
		return err
	}
	if err := release.CanUpgrade(from, wanted, offered...); err != nil {
		return failure.New(list, "cluster %q: %v", cluster.Name, err)
	}
	if slices.Contains(offered, wanted) {
		return nil
	}
	all, err := session.Versions(ctx, c)
	if err != nil {
		return err
	}
	if slices.Contains(all, wanted) && cluster.Spec.InfrastructureRef != nil {
		return failure.New(list+"; or have it added to spec.releases of the infrastructure",
			"cluster %q: infrastructure %q does not offer %s", cluster.Name, cluster.Spec.InfrastructureRef.Name, to)
	}
	return failure.New(list, "cluster %q: there is no release %s", cluster.Name, to)
}

// runs is the release that the control plane runs.
func runs(c *v1alpha1.Cluster) (release.Version, error) {
	if c.Status.Version == "" {
		return release.Version{}, failure.New(fmt.Sprintf("wait until it is ready ('marina cluster wait %s')", ref(c)),
			"cluster %q does not tell yet which version it runs", c.Name)
	}
	return release.Parse(c.Status.Version)
}

// changesVersion reports whether a cluster is to run another version than it does.
func changesVersion(c *v1alpha1.Cluster) bool { return c.Spec.Version != c.Status.Version }

// notNow is why no upgrade can begin now, and what to do; nil if one can.
func notNow(c *v1alpha1.Cluster) *failure.Error {
	phase := cmp.Or(c.Status.Phase, v1alpha1.ClusterPending)
	if c.DeletionTimestamp != nil {
		phase = v1alpha1.ClusterDeleting
	}
	wait := fmt.Sprintf("wait until it is Active ('%s')", kind.WaitFor(client.ObjectKeyFromObject(c), lifecycle.Goal{Phase: string(v1alpha1.ClusterActive)}))
	because := ""
	if c.Status.Message != "" {
		because = ": " + c.Status.Message
	}
	switch {
	case phase == v1alpha1.ClusterDeleting:
		return failure.New("choose another one: a deletion cannot be taken back", "cluster %q is being deleted", c.Name)
	case changesVersion(c) && phase == v1alpha1.ClusterDegraded:
		return failure.New(correct(c), "cluster %q is being upgraded from %s to %s already, and is Degraded%s", c.Name, c.Status.Version, c.Spec.Version, because)
	case changesVersion(c):
		return failure.New(wait+wayBack(c), "cluster %q is being upgraded from %s to %s already", c.Name, c.Status.Version, c.Spec.Version)
	case phase == v1alpha1.ClusterActive:
		return nil
	case phase == v1alpha1.ClusterDegraded || phase == v1alpha1.ClusterError:
		wait = fmt.Sprintf("correct the cause; 'marina cluster get %s -o yaml' shows all conditions", ref(c))
	}
	return failure.New(wait, "cluster %q is %s, and only one that is Active can be upgraded%s", c.Name, phase, because)
}

// correct is what to do about an upgrade that does not go on; empty for a cluster of which none
// is left.
func correct(c *v1alpha1.Cluster) string {
	shown := fmt.Sprintf("'marina operation list %s' shows what was done", ref(c))
	switch {
	case c.Status.Version == "" || !changesVersion(c):
		return ""
	case meta.IsStatusConditionFalse(c.Status.Conditions, v1alpha1.ConditionSpecAccepted):
		return "correct the cause, and it goes on by itself; " + shown + wayBack(c)
	case c.Status.Operation != "":
		return "look at what it does with 'marina operation watch " + session.Ref(client.ObjectKey{Namespace: c.Namespace, Name: c.Status.Operation}) + "'" + wayBack(c)
	default:
		return shown + ", and 'marina operation retry' on what was stopped goes on with it" + wayBack(c)
	}
}

// wayBack tells how to give up an upgrade, as long as there is a way back.
func wayBack(c *v1alpha1.Cluster) string {
	if c.Status.Committed != "" {
		return ""
	}
	return fmt.Sprintf("; to go back: kubectl patch cluster %s --type merge -p '{\"spec\":{\"version\":%q}}'", ref(c), c.Status.Version)
}

func ref(c *v1alpha1.Cluster) string { return session.Ref(client.ObjectKeyFromObject(c)) }
