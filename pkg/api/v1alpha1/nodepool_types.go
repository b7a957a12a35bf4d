package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxPoolReplicas is how many nodes a pool may have (features P2).
const MaxPoolReplicas = 20

// MaxHardAntiAffinity is how many nodes a pool may have that are kept on different hosts
// without exception (features P7).
const MaxHardAntiAffinity = 5

// NodePool is a group of like nodes of a Cluster, which Marina makes in the Cluster's
// Infrastructure: as many as are asked for, and others for those that are lost.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=np,categories=marina
// +kubebuilder:selectablefield:JSONPath=`.spec.clusterRef.name`
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.spec.clusterRef.name`
// +kubebuilder:printcolumn:name="Flavor",type=string,JSONPath=`.spec.flavor`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Wanted",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Version",type=string,priority=1,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Image",type=string,priority=1,JSONPath=`.spec.image`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 20 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a pool's name has at most 20 characters, starts with a letter and holds only lower-case letters, digits and '-' (not at its end): choose another one"
type NodePool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   NodePoolSpec   `json:"spec"`
	Status NodePoolStatus `json:"status,omitempty,omitzero"`
}

// WantedReplicas is how many nodes there are to be. While a spec does not say so, which is until
// the controller has written it, that is the number that was taken up last, and 1 for a new pool.
func (p *NodePool) WantedReplicas() int32 {
	switch {
	case p.Spec.Replicas != nil:
		return *p.Spec.Replicas
	case p.Status.Accepted != nil:
		return p.Status.Accepted.Replicas
	default:
		return 1
	}
}

// NodePoolSpec is what the tenant asks for. A change of version, flavor, image, disk,
// availability zone, security groups, networks or floating IPs replaces the nodes one after the
// other; one of labels and taints changes them as they are, and one of startupTaints does not
// touch them.
//
// +kubebuilder:validation:XValidation:rule="!has(self.upgrade) || !has(self.upgrade.strategy) || self.upgrade.strategy != 'InPlace' || !has(self.diskGiB)",message="strategy InPlace is for nodes on the disk of their flavor, and a server with diskGiB boots from a volume, which not every Nova makes anew: leave diskGiB out, or use the strategy Rolling",fieldPath=".upgrade.strategy"
// +kubebuilder:validation:XValidation:rule="!has(self.antiAffinity) || self.antiAffinity != 'Hard' || !has(self.replicas) || self.replicas <= 5",message="a pool with hard anti-affinity has at most 5 nodes, each on a host of its own: ask for fewer nodes, or use antiAffinity Soft",fieldPath=".replicas"
// +kubebuilder:validation:XValidation:rule="!has(self.autoHeal) || !has(self.autoHeal.action) || self.autoHeal.action != 'Rebuild' || !has(self.diskGiB)",message="action Rebuild is for nodes on the disk of their flavor, and a server with diskGiB boots from a volume, which not every Nova makes anew: leave diskGiB out, or use the action Replace",fieldPath=".autoHeal.action"
// +kubebuilder:validation:XValidation:rule="has(self.antiAffinity) == has(oldSelf.antiAffinity) && (!has(self.antiAffinity) || self.antiAffinity == oldSelf.antiAffinity)",message="antiAffinity cannot be changed: create another pool and delete this one",fieldPath=".antiAffinity"
type NodePoolSpec struct {
	// ClusterRef names the Cluster, in the same namespace. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="clusterRef cannot be changed: create another pool"
	ClusterRef LocalReference `json:"clusterRef"`
	// Replicas is how many nodes there are to be. 0 empties the pool and keeps it. Where it is
	// left out Marina writes it: 1 for a new pool, and the number that it has for any other, so
	// that whoever leaves the number to an autoscaler changes no nodes.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=20
	Replicas *int32 `json:"replicas,omitempty"`
	// Version is the KubernetesRelease that the nodes run, one that the Infrastructure offers.
	// It is not newer than that of the control plane, and at most three minors older. Without
	// it they run what the control plane runs, and follow it.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})-[1-9][0-9]{0,4}$')",message="a version is MAJOR.MINOR.PATCH-BUILD, for example 1.37.1-1: see 'kubectl get kubernetesreleases'"
	Version string `json:"version,omitempty"`
	// Flavor is the name of one of the Infrastructure's flavors.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Flavor string `json:"flavor"`
	// Image is the id of an image of Glance that the project sees, in place of the one that the
	// Infrastructure has for the version. It has the programs of a node of that version.
	// +optional
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$')",message="image is an id and not a name: 'openstack image list' shows it"
	Image string `json:"image,omitempty"`
	// DiskGiB is the size of the root disk, a volume that is made and deleted with the
	// server. Without it the disk is the flavor's own.
	// +optional
	// +kubebuilder:validation:Minimum=20
	// +kubebuilder:validation:Maximum=51200
	DiskGiB *int64 `json:"diskGiB,omitempty"`
	// AvailabilityZone is the zone of Nova that all nodes are in. Without it the cloud
	// chooses.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	AvailabilityZone string `json:"availabilityZone,omitempty"`
	// AntiAffinity keeps the nodes on different hosts: Soft where there are enough, Hard
	// without exception. It cannot be changed.
	// +optional
	// +kubebuilder:validation:Enum=Soft;Hard
	AntiAffinity AntiAffinity `json:"antiAffinity,omitempty"`
	// SecurityGroups are ids of further security groups of the nodes' ports.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.all(id, id.matches('^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'))",message="securityGroups holds ids and not names: 'openstack security group list' shows them"
	SecurityGroups []string `json:"securityGroups,omitempty"`
	// Networks are ids of further networks that each node has a port in, besides the
	// Cluster's.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.all(id, id.matches('^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'))",message="networks holds ids and not names: 'openstack network list' shows them"
	Networks []string `json:"networks,omitempty"`
	// FloatingIPs gives each node an address in the external network.
	// +optional
	FloatingIPs bool `json:"floatingIPs,omitempty"`
	// Labels are those of the nodes, from their first moment.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`
	// Taints are those of the nodes, from their first moment.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Taints []Taint `json:"taints,omitempty"`
	// StartupTaints are further ones of a node that is new, which whoever prepares it takes
	// away: they are not put back. A change is for nodes that are made from then on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	StartupTaints []Taint `json:"startupTaints,omitempty"`
	// NodesToRemove are names of nodes that go first when there are to be fewer. Without
	// them those go that were made last.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=63
	NodesToRemove []string `json:"nodesToRemove,omitempty"`
	// Upgrade tells how nodes are replaced.
	// +optional
	Upgrade PoolUpgrade `json:"upgrade,omitempty,omitzero"`
	// AutoHeal tells what becomes of nodes that have been Ready and are not any more.
	// +optional
	AutoHeal PoolAutoHeal `json:"autoHeal,omitempty,omitzero"`
	// CreationTimeoutSeconds is how long a server may take to become a Ready node, from the
	// request for it. Then it is deleted, and another one made. Flavors that boot slowly need
	// longer than the half hour.
	// +optional
	// +default=1800
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=86400
	CreationTimeoutSeconds *int32 `json:"creationTimeoutSeconds,omitempty"`
}

// AntiAffinity tells how strictly nodes are kept on different hosts.
type AntiAffinity string

const (
	// AntiAffinitySoft is kept where there are enough hosts.
	AntiAffinitySoft AntiAffinity = "Soft"
	// AntiAffinityHard is kept without exception: a node for which there is no host is not
	// made.
	AntiAffinityHard AntiAffinity = "Hard"
)

// Taint keeps pods off nodes that do not tolerate it.
type Taint struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Key string `json:"key"`
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Value string `json:"value,omitempty"`
	// +required
	// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
	Effect corev1.TaintEffect `json:"effect"`
}

// TaintID is what tells a taint from the others of a node, KEY:EFFECT.
func TaintID(key string, effect corev1.TaintEffect) string { return key + ":" + string(effect) }

// PoolPhase is a word for where a NodePool is in its life. It is derived from facts on
// every pass, never from the phase before.
// +kubebuilder:validation:Enum=Pending;Creating;Active;Scaling;Updating;Upgrading;Degraded;Deleting;Error
type PoolPhase string

const (
	// PoolPending waits for something before any node is made.
	PoolPending PoolPhase = "Pending"
	// PoolCreating has never had all its nodes.
	PoolCreating PoolPhase = "Creating"
	// PoolActive has the nodes that were asked for.
	PoolActive PoolPhase = "Active"
	// PoolScaling gets more nodes, or fewer.
	PoolScaling PoolPhase = "Scaling"
	// PoolUpdating has nodes that are being replaced by ones of another kind.
	PoolUpdating PoolPhase = "Updating"
	// PoolUpgrading has nodes that are being replaced by ones of another version.
	PoolUpgrading PoolPhase = "Upgrading"
	// PoolDegraded has nodes, and not all of them are ready, or its spec is refused. It goes
	// on healing, and accepts another number of nodes.
	PoolDegraded PoolPhase = "Degraded"
	// PoolDeleting is going away.
	PoolDeleting PoolPhase = "Deleting"
	// PoolError has no node and cannot get any without a change by a person.
	PoolError PoolPhase = "Error"
)

// NodePoolStatus is what is.
type NodePoolStatus struct {
	// Phase sums the rest up in a word.
	// +optional
	Phase PoolPhase `json:"phase,omitempty"`
	// Message is the sentence that tells most about the phase.
	// +optional
	Message string `json:"message,omitempty"`
	// Replicas is how many machines there are, in whatever state.
	// +optional
	Replicas int32 `json:"replicas"`
	// ReadyReplicas is how many of them are Ready nodes.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`
	// UpdatedReplicas is how many of them are as the spec asks for.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`
	// Selector selects the nodes of the pool, and is for autoscalers.
	// +optional
	Selector string `json:"selector,omitempty"`
	// Version is the release that new nodes get.
	// +optional
	Version string `json:"version,omitempty"`
	// Nodes are the names of the nodes that there are, sorted, without those that are being
	// removed.
	// +optional
	// +listType=atomic
	Nodes []string `json:"nodes,omitempty"`
	// ReadySince is when the pool first had all the nodes that were asked for.
	// +optional
	ReadySince *metav1.Time `json:"readySince,omitempty"`
	// ServerGroupID is the server group of Nova, of a pool with anti-affinity.
	// +optional
	ServerGroupID string `json:"serverGroupID,omitempty"`
	// Operation is the name of the one that runs: the change that is carried out, or else
	// a Resync.
	// +optional
	Operation string `json:"operation,omitempty"`
	// Accepted is what has been taken up of the spec.
	// +optional
	Accepted *AcceptedPool `json:"accepted,omitempty"`
	// Resynced is the Resync of the Cluster, by UID, for which all nodes have been looked
	// at in the cloud.
	// +optional
	Resynced string `json:"resynced,omitempty"`
	// ObservedGeneration is the generation of the spec that this status is of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AcceptedPool is what has been taken up of the spec of a NodePool. What differs from it is
// a change that no Operation has been recorded for.
type AcceptedPool struct {
	// Replicas is the number of nodes that was taken up last.
	Replicas int32 `json:"replicas"`
	// Rest is a hash of everything else in the spec, but for nodesToRemove.
	Rest string `json:"rest"`
	// Generation is the one that the rest came with.
	Generation int64 `json:"generation"`
	// Refused is whether the rest has been refused since then.
	// +optional
	Refused bool `json:"refused,omitempty"`
}

// NodePoolList is a list of NodePools.
//
// +kubebuilder:object:root=true
type NodePoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodePool `json:"items"`
}
