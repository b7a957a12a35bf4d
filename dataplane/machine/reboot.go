package machine

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// toReboot reports whether a reboot has been asked for of which nothing is known here.
func toReboot(m *v1alpha1.Machine) bool {
	return m.Spec.Reboot != "" && (m.Status.Reboot == nil || m.Status.Reboot.Request != m.Spec.Reboot)
}

// reboot reboots the server once for each request. That one is begun is written down before the
// cloud is asked, and that it has been asked after it: who finds the first without the second
// looks whether the server is being rebooted, and asks only if not.
func (r *Reconciler) reboot(ctx context.Context, s *scope, server *servers.Server) error {
	status, now := &s.machine.Status, &metav1.Time{Time: r.Now()}
	if s.machine.Spec.Reboot == "" || openstack.Leaving(server) {
		return nil
	}
	if toReboot(s.machine) {
		status.Reboot = &v1alpha1.MachineReboot{Request: s.machine.Spec.Reboot, RequestedAt: *now}
		// What it was read from may be behind: then it is not asked for again.
		patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
		if err := r.Client.Status().Patch(ctx, s.machine, patch); err != nil {
			return fmt.Errorf("writing the reboot down: %w", err)
		}
		s.before, status = s.machine.DeepCopy(), &s.machine.Status
	}
	known, rebooting := status.Reboot, server.Status == "REBOOT" || server.Status == "HARD_REBOOT"
	switch {
	case known.DoneAt != nil:
		return nil
	case known.AskedAt != nil && !rebooting:
		known.DoneAt = now
		return nil
	case known.AskedAt == nil && !rebooting:
		if err := r.open(ctx, s); err != nil {
			return err
		}
		// Only a system that works can be asked to restart itself.
		soft := server.Status == "ACTIVE" && isReady(status.Node)
		err := s.compute.reboot(ctx, server.ID, soft)
		r.changed(s)
		if err != nil {
			return s.project.Outcome(err, "rebooting the server "+server.ID)
		}
		known.AskedAt = now
	case known.AskedAt == nil:
		known.AskedAt = now
	}
	return reconcile.WaitFor(busyInterval, "Rebooting", "the server %s is being rebooted", server.ID)
}
