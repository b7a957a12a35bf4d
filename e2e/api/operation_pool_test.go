package api

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What cannot be cancelled of a pool is told in words that fit one.
func TestCancelOfAPool(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		for kind, want := range map[string]string{
			"Create":                  "a creation cannot be cancelled: delete the node pool",
			"Scale":                   "a change of a node pool cannot be cancelled once it runs: change spec back",
			"Update":                  "a change of a node pool cannot be cancelled once it runs: change spec back",
			"Delete":                  "a deletion cannot be taken back",
			"Resync":                  "an operation of type Resync cannot be cancelled once it runs",
			"Heal, nodes: [a]":        "the nodes are being removed already, which cannot be taken back",
			"EvictNode, nodes: [a]":   "the nodes are being removed already, which cannot be taken back",
			"ReplaceNode, nodes: [a]": "",
			"RebootNode, nodes: [a]":  "",
		} {
			t.Run(kind, func(t *testing.T) {
				o := made(t, s, object("Operation", newName(), fmt.Sprintf("{targetRef: {kind: NodePool, name: a}, type: %s}", kind)))
				setStatus(t, s, o, `{"phase": "Running"}`)
				patch := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"cancel": true}}`))
				var words []string
				if want != "" {
					words = says("spec.cancel: Invalid value: ", want)
				}
				judge(t, s.client.Patch(t.Context(), o, patch), words)
			})
		}
	})
}

// Operations on nodes name them, others do not, and what they name does not change.
func TestOperationOnNodes(t *testing.T) {
	missing := says("nodes is missing: name the nodes that a ReplaceNode is of")
	fixed := says("an Operation cannot be changed")
	onEach(t, func(t *testing.T, s *server) {
		for name, tc := range map[string]struct {
			spec string
			want []string
		}{
			"Replace":          {"{targetRef: {kind: NodePool, name: a}, type: ReplaceNode, nodes: [a-1, a-2], reason: slow}", nil},
			"Evict":            {"{targetRef: {kind: NodePool, name: a}, type: EvictNode, nodes: [a-1]}", nil},
			"Reboot":           {"{targetRef: {kind: NodePool, name: a}, type: RebootNode, nodes: [a-1]}", nil},
			"Unnamed":          {"{targetRef: {kind: NodePool, name: a}, type: ReplaceNode}", missing},
			"NoneNamed":        {"{targetRef: {kind: NodePool, name: a}, type: ReplaceNode, nodes: []}", says("spec.nodes", "should have at least 1 items")},
			"Twice":            {"{targetRef: {kind: NodePool, name: a}, type: ReplaceNode, nodes: [b, b]}", says("Duplicate value")},
			"NamedInAScale":    {"{targetRef: {kind: NodePool, name: a}, type: Scale, nodes: [a-1]}", says("type Scale is not of single nodes: leave nodes out")},
			"OfACluster":       {"{targetRef: {kind: Cluster, name: a}, type: EvictNode, nodes: [a-1]}", says("type EvictNode is for node pools")},
			"RestartOfAPool":   {"{targetRef: {kind: NodePool, name: a}, type: Restart}", says("type Restart is for clusters: a node pool can be asked for a Resync, ReplaceNode, RebootNode or EvictNode")},
			"ANodeWithoutName": {"{targetRef: {kind: NodePool, name: a}, type: RebootNode, nodes: ['']}", says("spec.nodes[0]", "at least 1 chars")},
		} {
			t.Run(name, func(t *testing.T) {
				judge(t, s.client.Create(t.Context(), object("Operation", newName(), tc.spec), user), tc.want)
			})
		}
		for name, patch := range map[string]string{
			"Others":       `{"spec": {"nodes": ["a-2"]}}`,
			"OtherReason":  `{"spec": {"reason": "other"}}`,
			"ReasonsTaken": `{"spec": {"reason": null}}`,
		} {
			t.Run(name, func(t *testing.T) {
				o := made(t, s, object("Operation", newName(), "{targetRef: {kind: NodePool, name: a}, type: EvictNode, nodes: [a-1], reason: slow}"))
				judge(t, s.client.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch))), fixed)
			})
		}
	})
}
