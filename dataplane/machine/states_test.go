package machine

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// What is said of the server of a node is what its pool heals by: only one that is in ERROR,
// stopped or gone is bad, one that runs is well, and of all others it is waited for.
func TestStatesOfANode(t *testing.T) {
	m := &v1alpha1.Machine{Status: v1alpha1.MachineStatus{ServerID: "s", ReadySince: &metav1.Time{}}}
	for status, want := range map[string]struct {
		reason string
		kind   reconcile.Kind
	}{
		"ERROR":         {"ServerError", reconcile.KindUser},
		"SHUTOFF":       {"ServerStopped", reconcile.KindUser},
		"DELETED":       {"ServerGone", reconcile.KindUser},
		"SOFT_DELETED":  {"ServerGone", reconcile.KindUser},
		"BUILD":         {"Building", reconcile.KindWait},
		"REBOOT":        {"ServerChanging", reconcile.KindWait},
		"HARD_REBOOT":   {"ServerChanging", reconcile.KindWait},
		"MIGRATING":     {"ServerChanging", reconcile.KindWait},
		"RESIZE":        {"ServerChanging", reconcile.KindWait},
		"REBUILD":       {"ServerChanging", reconcile.KindWait},
		"VERIFY_RESIZE": {"ServerNotActive", reconcile.KindUser},
		"RESCUE":        {"ServerNotActive", reconcile.KindUser},
		"PAUSED":        {"ServerNotActive", reconcile.KindUser},
		"SUSPENDED":     {"ServerNotActive", reconcile.KindUser},
		"SHELVED":       {"ServerNotActive", reconcile.KindUser},
		"UNKNOWN":       {"ServerNotActive", reconcile.KindUser},
	} {
		e := reconcile.As(judge(m, &servers.Server{ID: "s", Status: status}, &v1alpha1.ClusterNetwork{}, false))
		if e == nil || e.Reason != want.reason || e.Kind != want.kind {
			t.Errorf("%s: %+v, want %s", status, e, want.reason)
		}
	}
	if err := judge(m, &servers.Server{ID: "s", Status: "ACTIVE"}, &v1alpha1.ClusterNetwork{}, false); err != nil {
		t.Errorf("ACTIVE: %v", err)
	}
}
