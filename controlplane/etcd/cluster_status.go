package etcd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// writeClusterStatus computes the conditions from one pass: specErr is what became
// of the spec, and serveErr why tenants are not served.
func writeClusterStatus(s *clusterScope, specErr, serveErr error) {
	status, generation := &s.cluster.Status, s.cluster.Generation
	set := func(conditionType string, err error, done string) {
		reconcile.SetCondition(&status.Conditions, conditionType, generation, err, done)
	}

	refused := specErr
	if e := reconcile.As(specErr); e != nil && e.Kind != reconcile.KindUser {
		// What may pass by itself does not speak against the spec.
		refused = nil
	}
	set(v1alpha1.ConditionSpecAccepted, refused, "the spec has been taken up")
	if specErr == nil {
		status.ObservedGeneration = generation
	}

	ready := serveErr
	if serveErr != nil && specErr != nil {
		// Members that were never started are not ready, but that is not the reason.
		ready = specErr
	}
	set(v1alpha1.ConditionReady, ready, "the members have a quorum and authentication is on")

	var available error
	if !s.members.Done() {
		available = reconcile.Wait("MembersMissing", "%s", readiness(s.cluster.Name, s.members))
	}
	if s.cluster.DeletionTimestamp != nil {
		set(v1alpha1.ConditionDeleting, tenantsPlaced(s.placed), "")
	}
	set(v1alpha1.ConditionAvailable, available, fmt.Sprintf("all %d members are ready", component.EtcdReplicas))
}

// readiness tells how many members are ready, and what is wrong with the others.
func readiness(cluster string, members component.Status) string {
	if members.Ready >= component.EtcdReplicas {
		return fmt.Sprintf("all %d members are ready, %d run what was applied last", component.EtcdReplicas, members.Updated)
	}
	var missing []string
	for i := range component.EtcdReplicas {
		if !slices.Contains(members.ReadyOrdinals, i) {
			missing = append(missing, fmt.Sprintf("%s-%d", component.EtcdName(cluster), i))
		}
	}
	why := "not ready yet"
	if members.Message != "" {
		why = members.Message
	}
	return fmt.Sprintf("%d of %d members are ready: %s: %s", members.Ready, component.EtcdReplicas, strings.Join(missing, ", "), why)
}
