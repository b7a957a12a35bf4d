package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Operation is one action on a Cluster or a NodePool: what was asked for, when, how far
// it came and what became of it. Marina records one for each change of a spec and for
// what it does on its own. Users create one to ask for an action that no change of a
// spec stands for. The last OperationsKept of each target are kept.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=op,categories=marina
// +kubebuilder:selectablefield:JSONPath=`.spec.targetRef.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.targetRef.kind`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.targetRef.name`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Steps",type=string,JSONPath=`.status.progress`
// +kubebuilder:printcolumn:name="Started",type=date,JSONPath=`.status.startedAt`
// +kubebuilder:printcolumn:name="Took",type=string,JSONPath=`.status.took`
// +kubebuilder:printcolumn:name="Retry of",type=string,priority=1,JSONPath=`.spec.retryOf`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:validation:XValidation:rule="!(oldSelf.?status.?phase.orValue(\"\") in [\"Succeeded\", \"Failed\", \"Cancelled\"]) || self.?status.?phase.orValue(\"\") == oldSelf.status.phase",message="this operation has finished: its result does not change any more",fieldPath=".status.phase"
// +kubebuilder:validation:XValidation:rule="!self.spec.?cancel.orValue(false) || oldSelf.spec.?cancel.orValue(false) || !(oldSelf.?status.?phase.orValue(\"\") in [\"Succeeded\", \"Failed\", \"Cancelled\"])",messageExpression="\"this operation has finished (\" + oldSelf.status.phase + \") and cannot be cancelled\"",message="this operation has finished and cannot be cancelled",fieldPath=".spec.cancel"
// +kubebuilder:validation:XValidation:rule="!self.spec.?cancel.orValue(false) || oldSelf.spec.?cancel.orValue(false) || self.spec.type in [\"Upgrade\", \"Restart\", \"ReplaceNode\", \"RebootNode\"] || oldSelf.?status.?phase.orValue(\"\") != \"Running\"",messageExpression="self.spec.type == \"Create\" ? \"a creation cannot be cancelled: delete the \" + (self.spec.targetRef.?kind.orValue(\"\") == \"NodePool\" ? \"node pool\" : \"cluster\") : self.spec.targetRef.?kind.orValue(\"\") == \"NodePool\" && self.spec.type in [\"Scale\", \"Update\"] ? \"a change of a node pool cannot be cancelled once it runs: change spec back\" : self.spec.type == \"Delete\" ? \"a deletion cannot be taken back\" : self.spec.type in [\"Heal\", \"EvictNode\"] ? \"the nodes are being removed already, which cannot be taken back\" : \"an operation of type \" + self.spec.type + \" cannot be cancelled once it runs: it ends by itself in a moment\"",message="an operation of this type cannot be cancelled once it runs",fieldPath=".spec.cancel"
type Operation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   OperationSpec   `json:"spec"`
	Status OperationStatus `json:"status,omitempty,omitzero"`
}

// OperationsKept is how many Operations of one target are kept, and how many of all
// deleted ones of a kind in a project together.
const OperationsKept = 50

// OperationType is a kind of action.
// +kubebuilder:validation:Enum=Create;Scale;Update;Upgrade;Delete;RenewCertificates;Resync;Restart;RotateCertificates;Heal;ReplaceNode;RebootNode;EvictNode
type OperationType string

const (
	// OperationCreate lasts from a target's creation until it is ready for the first
	// time.
	OperationCreate OperationType = "Create"
	// OperationScale carries out another number of nodes of a NodePool. What is asked for
	// while it runs is merged into it.
	OperationScale OperationType = "Scale"
	// OperationUpdate carries out a change of the spec other than of the version or of
	// nothing but the number of nodes.
	OperationUpdate OperationType = "Update"
	// OperationUpgrade carries out a change of the version.
	OperationUpgrade OperationType = "Upgrade"
	// OperationDelete lasts until nothing of a target is left.
	OperationDelete OperationType = "Delete"
	// OperationRenewCertificates tells of certificates that Marina has renewed by
	// itself. It is recorded when that is done.
	OperationRenewCertificates OperationType = "RenewCertificates"
	// OperationResync writes everything again that a Cluster consists of, also inside
	// the tenant, whether or not it seems to be in place, and looks at its network and its
	// nodes in the cloud. Of a NodePool it looks at the nodes in the cloud.
	OperationResync OperationType = "Resync"
	// OperationRestart restarts the replicas of the control plane, one at a time.
	OperationRestart OperationType = "Restart"
	// OperationRotateCertificates issues every leaf certificate of the control plane
	// again. Nothing is restarted, and CAs stay.
	OperationRotateCertificates OperationType = "RotateCertificates"
	// OperationHeal gives up nodes of a NodePool that are lost, and makes others. Marina
	// records it by itself.
	OperationHeal OperationType = "Heal"
	// OperationReplaceNode replaces nodes of a NodePool by new ones, as an Update does.
	OperationReplaceNode OperationType = "ReplaceNode"
	// OperationRebootNode reboots the servers of nodes of a NodePool, one after the other.
	OperationRebootNode OperationType = "RebootNode"
	// OperationEvictNode empties nodes of a NodePool and removes them. The pool has that
	// many fewer from then on.
	OperationEvictNode OperationType = "EvictNode"
)

// IsOfNodes reports whether Operations of this type name nodes.
func (t OperationType) IsOfNodes() bool {
	switch t {
	case OperationHeal, OperationReplaceNode, OperationRebootNode, OperationEvictNode:
		return true
	default:
		return false
	}
}

// OperationSpec is what is asked for.
//
// +kubebuilder:validation:XValidation:rule="has(self.version) == has(oldSelf.version) && has(self.retryOf) == has(oldSelf.retryOf) && has(self.nodes) == has(oldSelf.nodes) && has(self.reason) == has(oldSelf.reason)",message="an Operation cannot be changed, except for spec.cancel: create another one"
// +kubebuilder:validation:XValidation:rule="!oldSelf.?cancel.orValue(false) || self.?cancel.orValue(false)",message="a cancellation cannot be taken back: create another Operation with retryOf"
// +kubebuilder:validation:XValidation:rule="!has(self.version) || self.type == \"Upgrade\"",message="version is for the type Upgrade only"
// +kubebuilder:validation:XValidation:rule="(self.type in ['Heal', 'ReplaceNode', 'RebootNode', 'EvictNode']) == has(self.nodes)",messageExpression="has(self.nodes) ? 'type ' + self.type + ' is not of single nodes: leave nodes out' : 'nodes is missing: name the nodes that a ' + self.type + ' is of'",message="nodes is for types that are of single nodes",fieldPath=".nodes"
// +kubebuilder:validation:XValidation:rule="self.targetRef.?kind.orValue(\"\") == 'NodePool' ? self.type in ['Create', 'Scale', 'Update', 'Delete', 'Resync', 'Heal', 'ReplaceNode', 'RebootNode', 'EvictNode'] : !(self.type in ['Scale', 'Heal', 'ReplaceNode', 'RebootNode', 'EvictNode'])",messageExpression="self.targetRef.?kind.orValue(\"\") == 'NodePool' ? 'type ' + self.type + ' is for clusters: a node pool can be asked for a Resync, ReplaceNode, RebootNode or EvictNode' : 'type ' + self.type + ' is for node pools'",message="there is no such type of this kind of target",fieldPath=".type"
type OperationSpec struct {
	// TargetRef names what it is about, in the same namespace.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Operation cannot be changed, except for spec.cancel: create another one"
	TargetRef OperationTarget `json:"targetRef"`
	// Type is what is to be done. Users create Resync, for Clusters Restart and
	// RotateCertificates, and for NodePools ReplaceNode, RebootNode and EvictNode; the others
	// are recorded when a spec changes or a node is lost, and may be created with retryOf.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Operation cannot be changed, except for spec.cancel: create another one"
	Type OperationType `json:"type"`
	// Version is the release that an Upgrade leads to.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Operation cannot be changed, except for spec.cancel: create another one"
	Version string `json:"version,omitempty"`
	// Nodes are the names of the nodes that it is of.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=21
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Operation cannot be changed, except for spec.cancel: create another one"
	Nodes []string `json:"nodes,omitempty"`
	// Reason tells why it was asked for.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Operation cannot be changed, except for spec.cancel: create another one"
	Reason string `json:"reason,omitempty"`
	// Cancel asks to stop at the next safe point. What has been done stays done.
	// +optional
	Cancel bool `json:"cancel,omitempty"`
	// RetryOf names the failed or cancelled Operation that this one tries again.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Operation cannot be changed, except for spec.cancel: create another one"
	RetryOf string `json:"retryOf,omitempty"`
}

// What Operations are about.
const (
	TargetCluster  = "Cluster"
	TargetNodePool = "NodePool"
)

// OperationTarget names a resource.
type OperationTarget struct {
	// +kubebuilder:default=Cluster
	// +kubebuilder:validation:Enum=Cluster;NodePool
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=30
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="there can be no cluster or node pool of that name: it starts with a letter and holds only lower-case letters, digits and '-'"
	Name string `json:"name"`
	// UID keeps two of one name apart. Empty is the one that there is.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	UID types.UID `json:"uid,omitempty"`
}

// OperationPhase is how far an Operation is.
// +kubebuilder:validation:Enum=Pending;Running;Succeeded;Failed;Cancelled
type OperationPhase string

const (
	// OperationPending has not begun.
	OperationPending OperationPhase = "Pending"
	// OperationRunning has begun.
	OperationRunning OperationPhase = "Running"
	// OperationSucceeded has come to its end.
	OperationSucceeded OperationPhase = "Succeeded"
	// OperationFailed could not be done, or was refused; the message tells why.
	OperationFailed OperationPhase = "Failed"
	// OperationCancelled has stopped before its end, or was overtaken by another one;
	// the message tells what was left.
	OperationCancelled OperationPhase = "Cancelled"
)

// Finished reports whether an Operation with this phase will not change any more.
func (p OperationPhase) Finished() bool {
	return p == OperationSucceeded || p == OperationFailed || p == OperationCancelled
}

// OperationStatus is what has become of it.
type OperationStatus struct {
	// +optional
	Phase OperationPhase `json:"phase,omitempty"`
	// Generation is that of the target's spec when it began, or of the newest change that
	// was merged into it.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// Merged is how many later changes of the spec it carries out besides the first: a
	// NodePool that is being scaled takes up another number of nodes.
	// +optional
	Merged int32 `json:"merged,omitempty"`
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
	// Took is the time from start to end, as people write it.
	// +optional
	Took string `json:"took,omitempty"`
	// Progress counts the steps that are done and all of them, as 2/5.
	// +optional
	Progress string `json:"progress,omitempty"`
	// Steps in the order in which they are done.
	// +optional
	// +listType=map
	// +listMapKey=name
	Steps []OperationStep `json:"steps,omitempty"`
	// Message is a sentence on the result, or on what is being waited for.
	// +optional
	Message string `json:"message,omitempty"`
}

// OperationStep is a part of an Operation.
type OperationStep struct {
	// Name of the step, for people.
	Name string `json:"name"`
	// Phase of the step. One that a cancellation left is Cancelled.
	Phase OperationPhase `json:"phase"`
	// Message tells what the step waits for, or what is left of it.
	// +optional
	Message string `json:"message,omitempty"`
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
}

// OperationList is a list of Operations.
//
// +kubebuilder:object:root=true
type OperationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Operation `json:"items"`
}
