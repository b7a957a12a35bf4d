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
// of the spec, serveErr why tenants are not served, and careErr what is being done
// for the members.
func writeClusterStatus(s *clusterScope, specErr, serveErr, careErr error) {
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
	if serveErr != nil && specErr != nil && s.refused == nil {
		// Members that were never started are not ready, but that is not the reason.
		ready = specErr
	}
	set(v1alpha1.ConditionReady, ready, "the members have a quorum and authentication is on")

	var available error
	if !s.members.Done() {
		available = reconcile.Wait("MembersMissing", "%s", readiness(s.cluster, s.members))
	}
	if e := reconcile.As(careErr); e != nil && e.Kind != reconcile.KindRetry && (available != nil || e.Reason != reasonDefragmenting) {
		available = careErr
	}
	if s.asked {
		set(v1alpha1.ConditionCertificatesValid, s.issueErr, "cert-manager has issued all certificates, and they are in use")
	}
	if s.cluster.DeletionTimestamp != nil {
		set(v1alpha1.ConditionDeleting, tenantsPlaced(s.placed), "")
	}
	set(v1alpha1.ConditionAvailable, available, fmt.Sprintf("all %d members are ready", s.members.Replicas))
	if s.survey != nil && silent(s.survey.asked) < len(s.survey.asked) {
		set(v1alpha1.ConditionStorageAvailable, s.space, "no member has raised an alarm")
	}
	if s.cluster.Spec.External == nil {
		set(v1alpha1.ConditionUpToDate, changing(s), "all members run what the spec says")
	}
}

// readiness tells how many members are ready, and what is wrong with the others.
func readiness(cluster *v1alpha1.EtcdCluster, members component.Status) string {
	all := max(members.Replicas, 1)
	if members.Ready >= all {
		return fmt.Sprintf("all %d members are ready, %d run what was applied last", all, members.Updated)
	}
	var missing []string
	for i := range all {
		switch {
		case slices.Contains(members.ReadyOrdinals, i):
		case cluster.Spec.External != nil:
			missing = append(missing, cluster.Spec.External.Endpoints[i])
		default:
			missing = append(missing, component.EtcdMember(cluster.Name, i))
		}
	}
	why := "not ready yet"
	if members.Message != "" {
		why = members.Message
	}
	return fmt.Sprintf("%d of %d members are ready: %s: %s", members.Ready, all, strings.Join(missing, ", "), why)
}
