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
			"Create": "a creation cannot be cancelled: delete the node pool",
			"Scale":  "a change of a node pool cannot be cancelled once it runs: change spec back",
			"Update": "a change of a node pool cannot be cancelled once it runs: change spec back",
			"Delete": "a deletion cannot be taken back",
			"Resync": "an operation of type Resync cannot be cancelled once it runs",
		} {
			t.Run(kind, func(t *testing.T) {
				o := made(t, s, object("Operation", newName(), fmt.Sprintf("{targetRef: {kind: NodePool, name: a}, type: %s}", kind)))
				setStatus(t, s, o, `{"phase": "Running"}`)
				patch := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"cancel": true}}`))
				judge(t, s.client.Patch(t.Context(), o, patch), says("spec.cancel: Invalid value: ", want))
			})
		}
	})
}
