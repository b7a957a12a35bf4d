package hosted

import (
	"cmp"
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// facts are what the steps report of things that only they saw.
type facts struct {
	// addons is the hash of the objects that are applied in the tenant; empty when
	// this pass did not come that far or failed.
	addons string
	// kept is the digest of what Marina owns of them.
	kept string
	// agents is what is known of the konnectivity agents; nil for nothing yet.
	agents *agents
	// addonsErr is why they are not.
	addonsErr error
	// written is true when this pass wrote certificates: the host sees them in the next
	// one.
	written bool
}

// writeStatus computes the whole status from one pass: err is what its steps came
// to, nil when there is nothing left to do.
func writeStatus(hcp *v1alpha1.HostedControlPlane, s *scope, err error) {
	status := &hcp.Status
	if status.Version != "" && unknown(s.status) {
		// Just after a start: what has run before has been found, but not been asked
		// yet. The host tells when it has, in a moment.
		return
	}
	status.ObservedGeneration = hcp.Generation
	var list []v1alpha1.ComponentStatus
	for _, name := range components {
		c, before := s.status[name], componentStatus(hcp, name)
		now := before
		if applied, ok := s.applied[name]; ok {
			now.Version, now.Emulates, now.Restart = applied.version, applied.emulates, hcp.Spec.Restarts[name]
		}
		now.Replicas, now.Ready, now.Updated, now.Message = component.HostedReplicas, int32(c.Ready), int32(c.Updated), c.Message
		now.ProgressedAt = s.progressedAt(before, now)
		list = append(list, now)
	}
	status.Components = list
	if _, reserved := s.addresses[component.NameAPIServer]; reserved {
		status.Endpoint = s.exposed().URL()
	}
	if s.facts.addons != "" {
		status.AppliedAddons, status.KeptAddons = s.facts.addons, s.facts.kept
	}

	set := func(conditionType string, err error, done string) {
		reconcile.SetCondition(&status.Conditions, conditionType, hcp.Generation, err, done)
	}
	set(v1alpha1.ConditionEtcdReady, etcdError(s.etcd), "the tenant has its place in etcd")
	set(v1alpha1.ConditionControlPlaneReady, cmp.Or(lostError(s.addresses), servesError(s.status)), "API server, controller-manager and scheduler serve")
	set(v1alpha1.ConditionAvailable, availableError(s.status), "all replicas are ready")
	set(v1alpha1.ConditionAddonsReady, addonsError(s, status.AppliedAddons), "nodes can join and administrators have their rights")
	switch {
	case !throughKonnectivity(hcp):
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionKonnectivityReady)
	case s.facts.agents != nil || meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionKonnectivityReady) == nil:
		set(v1alpha1.ConditionKonnectivityReady, konnectivityError(s.facts.agents), "agents connect the API servers with the nodes")
	}

	if refused := userError(err); refused != nil || !failed(err) || !meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionSpecAccepted) {
		// A pass that failed otherwise did not come to know better.
		set(v1alpha1.ConditionSpecAccepted, refused, "the spec has been taken up")
	}

	// A control plane that has come up is ready as long as it serves: a pass that
	// has something to do, or that failed at something else, does not change that.
	ready := firstUntrue(status.Conditions, v1alpha1.ConditionEtcdReady, v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionAddonsReady)
	outage := etcdError(s.etcd) != nil && status.Version != ""
	if err != nil && !outage && (ready != nil || status.Version == "") {
		ready = err
	}
	set(v1alpha1.ConditionReady, ready, "the control plane serves and nodes can join")
	if err == nil && ready == nil && !s.paused() && (status.Version == "" || allDone(s.status)) {
		if s.emulates() {
			// Written down before anything is done by it: whoever starts anew in a moment
			// must not go back.
			status.Committed = hcp.Spec.Version
		} else {
			status.Version, status.Committed = hcp.Spec.Version, ""
		}
	}
	if err == nil && s.etcd.Status.ObservedGeneration == s.etcd.Generation {
		status.Resynced = hcp.Spec.Resync
	}
	if status.Version != "" {
		set(v1alpha1.ConditionUpToDate, upToDateError(s, err), "all replicas run "+hcp.Spec.Version)
	}
}

// patchStatus writes what a pass came to. That there is no way back is true only of the spec of
// that pass: who has been told to go back meanwhile would be committed to what nobody asks for.
func (r *Reconciler) patchStatus(ctx context.Context, before, hcp *v1alpha1.HostedControlPlane) error {
	if hcp.Status.Committed != before.Status.Committed && hcp.Status.Committed != "" {
		return reconcile.PatchStatusAsRead(ctx, r.Client, before, hcp)
	}
	return reconcile.PatchStatus(ctx, r.Client, before, hcp)
}

// componentStatus is what the status says of a component; nothing at first.
func componentStatus(hcp *v1alpha1.HostedControlPlane, name string) v1alpha1.ComponentStatus {
	for _, c := range hcp.Status.Components {
		if c.Name == name {
			return c
		}
	}
	return v1alpha1.ComponentStatus{Name: name}
}

// failed reports whether err is a fault that may pass by itself.
func failed(err error) bool {
	e := reconcile.As(err)
	return e != nil && e.Kind == reconcile.KindRetry
}

// userError is err if a person has to change something, else nil.
func userError(err error) error {
	if e := reconcile.As(err); e != nil && e.Kind == reconcile.KindUser {
		return e
	}
	return nil
}

// servesError tells which component has no ready replica.
func servesError(status map[string]component.Status) error {
	for _, name := range components {
		if c := status[name]; c.Ready == 0 {
			return reconcile.Wait("NotReady", "no %s is ready%s", name, because(c.Message))
		}
	}
	return nil
}

// lostError tells that nobody reaches what serves.
func lostError(addresses map[string]component.Addresses) error {
	if lost := addresses[component.NameAPIServer].Lost; lost != "" {
		return reconcile.UserError("AddressLost", "%s", lost)
	}
	return nil
}

// unknown reports whether a replica of a component, of which none is known to be
// ready, runs and has not been asked yet.
func unknown(status map[string]component.Status) bool {
	for _, c := range status {
		if c.Ready == 0 && c.Unknown > 0 {
			return true
		}
	}
	return false
}

// upToDateError tells what is still to do until every replica is as asked.
func upToDateError(s *scope, err error) error {
	switch {
	case err != nil:
		return err
	case s.facts.written:
		return reconcile.Wait("Updating", "new certificates are being handed to the replicas")
	case s.paused():
		return reconcile.Wait(v1alpha1.ReasonPaused, "the change to %s has been stopped: %s", s.hcp.Spec.Version, runs(s.hcp))
	}
	for _, name := range components {
		if c := s.status[name]; c.Updated < component.HostedReplicas {
			return reconcile.Wait("Updating", "%d of %d replicas of %s are as asked%s", c.Updated, component.HostedReplicas, name, because(c.Message))
		}
	}
	if s.emulates() {
		return reconcile.Wait("Emulating", "all replicas run %s and behave as %s: to cease to is next", s.hcp.Spec.Version, s.hcp.Status.Version)
	}
	return nil
}

// runs tells which version each component runs.
func runs(hcp *v1alpha1.HostedControlPlane) string {
	var all []string
	for _, c := range hcp.Status.Components {
		all = append(all, c.Name+" runs "+setting{c.Version, c.Emulates}.words())
	}
	return strings.Join(all, ", ")
}

// availableError tells which components lack replicas, and why. How many is in
// status.components: here it would change with every replica that starts.
func availableError(status map[string]component.Status) error {
	var short []string
	for _, name := range components {
		if status[name].Ready < component.HostedReplicas {
			short = append(short, name+because(status[name].Message))
		}
	}
	if len(short) > 0 {
		return reconcile.Wait("ReplicasMissing", "not all replicas are ready of %s", strings.Join(short, "; "))
	}
	return nil
}

// allDone reports whether every replica is ready and runs what was applied last.
func allDone(status map[string]component.Status) bool {
	for _, name := range components {
		if !status[name].Done() {
			return false
		}
	}
	return true
}

// addonsError tells why what every tenant needs is not in it.
func addonsError(s *scope, applied string) error {
	switch {
	case s.facts.addonsErr != nil:
		return s.facts.addonsErr
	case applied == "":
		return reconcile.Wait("WaitingForAPIServer", "they are applied once an API server is ready")
	}
	return nil
}

// konnectivityError tells why API servers cannot reach nodes. How many agents there are
// is not said: it would change with every node.
func konnectivityError(found *agents) error {
	switch {
	case found == nil:
		return reconcile.Wait("NotObserved", "the agents have not been looked at yet")
	case found.ready == 0:
		return reconcile.Wait("NoAgent", "no pod of Deployment kube-system/%s is ready in the tenant: they need a node that is ready",
			v1alpha1.KonnectivityAgent)
	}
	return nil
}

// firstUntrue is the first of the conditions that is not True, as the error that it
// came from.
func firstUntrue(conditions []metav1.Condition, types ...string) error {
	for _, t := range types {
		c := meta.FindStatusCondition(conditions, t)
		if c == nil {
			return reconcile.Wait("NotObserved", "%s has not been looked at yet", t)
		}
		if c.Status != metav1.ConditionTrue {
			return reconcile.Wait(c.Reason, "%s", c.Message)
		}
	}
	return nil
}
