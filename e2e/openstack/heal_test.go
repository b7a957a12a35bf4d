package openstack

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// With the action Rebuild a lost node has its server made anew, with the image that the cloud has
// for its release by now; the server, its port and its addresses are as before, and so are those
// of the other nodes.
func TestRule23ALostNodeIsMadeAnewInTheCloud(t *testing.T) {
	s := newWorld(t).stepped()
	for _, c := range []string{v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionEtcdReady, v1alpha1.ConditionUpToDate} {
		meta.SetStatusCondition(&s.cluster.Status.Conditions, metav1.Condition{Type: c, Status: metav1.ConditionTrue, Reason: "AsExpected"})
	}
	check(t, management.Client.Status().Update(t.Context(), s.cluster))
	p := s.pool("web", 3, func(s *v1alpha1.NodePoolSpec) { s.FloatingIPs, s.AutoHeal.Action = true, v1alpha1.HealRebuild })
	s.until("three nodes", s.settled(p, 3))
	before, lost := s.identities(), s.machines()[1]

	second := s.makeImage(t, "second")
	old := s.infra.DeepCopy()
	s.infra.Spec.Releases[0].Image = "second"
	check(t, management.Client.Patch(t.Context(), s.infra, client.MergeFrom(old)))
	s.inspect()
	s.until("the other image does nothing by itself", rounds(5))
	s.wire.reset()
	s.lost = lost.Name
	s.until("the node is back", func() error {
		for _, m := range s.machines() {
			if m.Name == lost.Name && m.Status.Rebuilt == "" {
				return errors.New(m.Status.Message)
			}
		}
		return s.settled(p, 3)()
	})
	if diff := cmp.Diff(before, s.identities()); diff != "" {
		t.Errorf("after a node was healed in place (-want +got):\n%s", diff)
	}
	var changes []string
	for _, c := range s.wire.changes() {
		changes = append(changes, c.String())
	}
	if !slices.Equal(changes, []string{"POST /servers/{id}/action"}) {
		t.Errorf("a node was healed in place by %v, want one request", changes)
	}
	for _, server := range s.servers() {
		if anew := server.Image["id"] == second; anew != (server.ID == lost.Status.ServerID) || server.Status != "ACTIVE" {
			t.Errorf("the server %s is %s with the image %v, that of the lost node is %s", server.ID, server.Status, server.Image["id"], lost.Status.ServerID)
		}
	}
	var all v1alpha1.OperationList
	check(t, management.Client.List(t.Context(), &all, client.InNamespace(s.cluster.Namespace)))
	heals := 0
	for _, op := range all.Items {
		if op.Spec.Type == v1alpha1.OperationHeal {
			heals++
			if op.Status.Phase != v1alpha1.OperationSucceeded || !slices.Equal(op.Spec.Nodes, []string{lost.Name}) {
				t.Errorf("the Heal of %v is %s: %s", op.Spec.Nodes, op.Status.Phase, op.Status.Message)
			}
		}
	}
	if heals != 1 {
		t.Errorf("%d Heals are recorded, want one", heals)
	}
}
