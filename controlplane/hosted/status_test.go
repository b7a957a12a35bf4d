package hosted

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

func TestWriteStatus(t *testing.T) {
	all := component.Status{Replicas: 3, Ready: 3, Updated: 3}
	one := component.Status{Replicas: 3, Ready: 1, Updated: 1}
	none := component.Status{Replicas: 3}
	everywhere := func(s component.Status) map[string]component.Status {
		return map[string]component.Status{component.NameAPIServer: s, component.NameControllerManager: s, component.NameScheduler: s}
	}
	inEtcd := &v1alpha1.EtcdTenant{Status: v1alpha1.EtcdTenantStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected"},
	}}}

	cases := map[string]struct {
		runs    string // the version that it has run before
		etcd    *v1alpha1.EtcdTenant
		status  map[string]component.Status
		applied bool
		err     error

		ready       metav1.ConditionStatus
		available   metav1.ConditionStatus
		accepted    metav1.ConditionStatus
		wantVersion string
	}{
		"at first nothing is known": {
			err:   reconcile.Wait("WaitingForEtcd", "etcd"),
			ready: "Unknown", available: "Unknown", accepted: "True",
		},
		"one replica of each is enough to be ready": {
			etcd: inEtcd, status: everywhere(one), applied: true,
			ready: "True", available: "Unknown", accepted: "True", wantVersion: "1.37.1-1",
		},
		"not before everything is applied": {
			etcd: inEtcd, status: everywhere(one), err: reconcile.Wait("X", "x"),
			ready: "Unknown", available: "Unknown", accepted: "True",
		},
		"all replicas are available": {
			runs: "1.37.1-1", etcd: inEtcd, status: everywhere(all), applied: true,
			ready: "True", available: "True", accepted: "True", wantVersion: "1.37.1-1",
		},
		"one that serves stays ready while a pass fails": {
			runs: "1.37.1-1", etcd: inEtcd, status: everywhere(all), applied: true, err: errors.New("management API: time-out"),
			ready: "True", available: "True", accepted: "True", wantVersion: "1.37.1-1",
		},
		"one that serves stays ready when its new spec is refused": {
			runs: "1.36.4-1", etcd: inEtcd, status: everywhere(all), applied: true, err: reconcile.UserError("ReleaseNotFound", "no"),
			ready: "True", available: "True", accepted: "False", wantVersion: "1.36.4-1",
		},
		"the version is the old one until every replica is updated": {
			runs: "1.36.4-1", etcd: inEtcd, status: everywhere(component.Status{Replicas: 3, Ready: 3, Updated: 2}), applied: true,
			ready: "True", available: "True", accepted: "True", wantVersion: "1.36.4-1",
		},
		"one that does not serve is not ready": {
			runs: "1.37.1-1", etcd: inEtcd, status: everywhere(none), applied: true, err: reconcile.Wait("WaitingForAPIServer", "none"),
			ready: "Unknown", available: "Unknown", accepted: "True", wantVersion: "1.37.1-1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := testScope()
			s.etcd, s.status = tc.etcd, tc.status
			s.hcp.Status.Version = tc.runs
			if tc.applied {
				s.facts.addons = "hash"
			}
			writeStatus(s.hcp, s, tc.err)

			got := map[string]metav1.ConditionStatus{}
			for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAvailable, v1alpha1.ConditionSpecAccepted} {
				got[c] = meta.FindStatusCondition(s.hcp.Status.Conditions, c).Status
			}
			want := map[string]metav1.ConditionStatus{
				v1alpha1.ConditionReady: tc.ready, v1alpha1.ConditionAvailable: tc.available, v1alpha1.ConditionSpecAccepted: tc.accepted,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if s.hcp.Status.Version != tc.wantVersion {
				t.Errorf("version = %q, want %q", s.hcp.Status.Version, tc.wantVersion)
			}
			before := s.hcp.DeepCopy()
			writeStatus(s.hcp, s, tc.err)
			if diff := cmp.Diff(before.Status, s.hcp.Status); diff != "" {
				t.Errorf("a second pass changed the status:\n%s", diff)
			}
		})
	}
}

// What serves where nobody reaches it is not ready, and says what to do first of all.
func TestALostAddressIsTold(t *testing.T) {
	s := testScope()
	s.hcp.Status.Version = "1.37.1-1"
	s.etcd = &v1alpha1.EtcdTenant{Status: v1alpha1.EtcdTenantStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected"},
	}}}
	all := component.Status{Replicas: 3, Ready: 3, Updated: 3}
	s.status = map[string]component.Status{component.NameAPIServer: all, component.NameControllerManager: all, component.NameScheduler: all}
	for _, lost := range []string{"", "no node has it", ""} {
		api := s.addresses[component.NameAPIServer]
		api.Lost = lost
		s.addresses[component.NameAPIServer], s.facts.addons = api, "hash"
		writeStatus(s.hcp, s, nil)
		for _, condition := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionControlPlaneReady} {
			c := meta.FindStatusCondition(s.hcp.Status.Conditions, condition)
			if lost != "" && (c.Status != metav1.ConditionFalse || c.Reason != "AddressLost" || c.Message != lost) || lost == "" && c.Status != metav1.ConditionTrue {
				t.Errorf("lost %q: %+v", lost, c)
			}
		}
	}
}

// In an outage of etcd the API servers are not ready either: what is said first is the
// cause.
func TestAnOutageIsToldByItsCause(t *testing.T) {
	s := testScope()
	s.hcp.Status.Version = "1.37.1-1"
	s.etcd = &v1alpha1.EtcdTenant{Status: v1alpha1.EtcdTenantStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "WaitingForEtcdCluster", Message: "no quorum"},
	}}}
	none := component.Status{Replicas: 3}
	s.status = map[string]component.Status{component.NameAPIServer: none, component.NameControllerManager: none, component.NameScheduler: none}
	writeStatus(s.hcp, s, reconcile.Wait("WaitingForAPIServer", "no API server is ready yet"))
	ready := meta.FindStatusCondition(s.hcp.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue || ready.Message != "no quorum" {
		t.Errorf("Ready = %+v, want the outage for a reason", ready)
	}
}
