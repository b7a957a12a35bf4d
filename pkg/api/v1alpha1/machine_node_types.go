package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// MachineNode is the node of a Machine, in the tenant. It is written as a whole, and by
// nobody but the controller of nodes.
type MachineNode struct {
	// UID of the Node; empty when it has none yet or no more.
	// +optional
	UID types.UID `json:"uid,omitempty"`
	// Ready is the condition Ready of the Node.
	Ready bool `json:"ready"`
	// Since is when Ready became what it is, as the Node has it.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// Message is what the Node says of itself while it is not Ready.
	// +optional
	Message string `json:"message,omitempty"`
	// ChangedAt is when Marina has seen that Ready or Since became what they are, by its own
	// clock. That of a node may be wrong, and its status be anybody's who may write it.
	// +optional
	ChangedAt *metav1.Time `json:"changedAt,omitempty"`
	// Checked is the last look at the Node because of spec.checkAfter.
	// +optional
	Checked *MachineCheck `json:"checked,omitempty"`
	// Missed is when the tenant has told last that there is no such Node, or that it is not
	// Ready, although the time that it had for it is over. It is at most a minute old while the
	// tenant answers.
	// +optional
	Missed *metav1.Time `json:"missed,omitempty"`
	// AppliedLabels are the keys of labels, and AppliedTaints are KEY:EFFECT of taints, that
	// the Node has because of spec. They are written before the Node is, so that what spec no
	// longer has is found and removed. Those of a Node that has just appeared are status.userDataLabels
	// and userDataTaints.
	// +optional
	// +listType=atomic
	AppliedLabels []string `json:"appliedLabels,omitempty"`
	// +optional
	// +listType=atomic
	AppliedTaints []string `json:"appliedTaints,omitempty"`
	// DrainStartedAt is when it was begun to empty it.
	// +optional
	DrainStartedAt *metav1.Time `json:"drainStartedAt,omitempty"`
	// WaitsSince is when it began to wait until another node has had its turn to leave, before
	// it is emptied itself: no other one takes pods. It does so no longer than two drains may take.
	// +optional
	WaitsSince *metav1.Time `json:"waitsSince,omitempty"`
	// Drained is whether the server may be deleted, or made anew: no pod is left that has to be moved, or
	// there is no time any more, or nobody who could be asked.
	// +optional
	Drained bool `json:"drained,omitempty"`
	// DrainMessage is what the emptying waits for.
	// +optional
	DrainMessage string `json:"drainMessage,omitempty"`
	// Rebuild is the rebuild that the node is emptied for, or has been; Rebuilt is the last one
	// from which it has come back as a Ready node.
	// +optional
	Rebuild string `json:"rebuild,omitempty"`
	// +optional
	Rebuilt string `json:"rebuilt,omitempty"`
	// Cordoned is whether it was Marina who has made it unschedulable, for a rebuild.
	// +optional
	Cordoned bool `json:"cordoned,omitempty"`
	// Begun is the last rebuild for which the node was given its startup taints.
	// +optional
	Begun string `json:"begun,omitempty"`
	// Boot is what told the boot before a rebuild from the next one.
	// +optional
	Boot string `json:"boot,omitempty"`
}
