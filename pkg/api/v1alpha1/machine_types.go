package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Machine is one server in an OpenStack that becomes the node of its name. It lives in the
// management namespace of its Cluster, and only controllers write it: dataplane makes and
// deletes the server, and controlplane tells of the node, status.node, and empties it.
//
// Two finalizers take a deleted one down in order: MachineFinalizer goes when nothing of it
// is left in the cloud, for which it waits until status.node is drained; NodeFinalizer goes
// after that, with the node in the tenant.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=marina
// +kubebuilder:printcolumn:name="Pool",type=string,JSONPath=`.spec.poolRef.name`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.status.addresses[0]`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Flavor",type=string,priority=1,JSONPath=`.spec.template.flavor`
// +kubebuilder:printcolumn:name="Server",type=string,priority=1,JSONPath=`.status.serverID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a Machine's name is that of its node: at most 63 lower-case letters, digits and '-'"
type Machine struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   MachineSpec   `json:"spec"`
	Status MachineStatus `json:"status,omitempty,omitzero"`
}

// MachineSpec is what is made. Of template only release and image can be changed, with a rebuild:
// a node of another kind is another Machine. Labels and taints are kept on the node as they are
// here.
//
// +kubebuilder:validation:XValidation:rule="self.template == oldSelf.template || has(self.rebuild) && (!has(oldSelf.rebuild) || self.rebuild.id != oldSelf.rebuild.id)",message="release and image of a Machine are changed with another rebuild and not by themselves",fieldPath=".template"
type MachineSpec struct {
	// ClusterRef is the Cluster that it belongs to. Its server carries its UID.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="clusterRef cannot be changed"
	ClusterRef ClusterReference `json:"clusterRef"`
	// PoolRef is the NodePool that it belongs to, in the Cluster's namespace.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="poolRef cannot be changed"
	PoolRef PoolReference `json:"poolRef"`
	// Template is what its server is made by.
	// +required
	Template MachineTemplate `json:"template"`
	// Rebuild has the server made anew as it is in template, with its id, ports and addresses,
	// once for each id.
	// +optional
	Rebuild *Rebuild `json:"rebuild,omitempty"`
	// Labels are those that the pool gives its nodes.
	// +optional
	// +kubebuilder:validation:MaxProperties=65
	Labels map[string]string `json:"labels,omitempty"`
	// Taints are those that the pool gives its nodes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Taints []Taint `json:"taints,omitempty"`
	// StartupTaints are further ones that the node has when it first appears, and that are not
	// put back.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="startupTaints cannot be changed: the node may have begun without them"
	StartupTaints []Taint `json:"startupTaints,omitempty"`
	// CreationTimeoutSeconds is how long it may take until the node is Ready, from the
	// request for the server, or from when the control plane that it joins came back, if that
	// was away. Then the server is deleted and another one made.
	// +optional
	// +default=1800
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=86400
	CreationTimeoutSeconds int32 `json:"creationTimeoutSeconds,omitempty"`
	// Resync is the UID of the Operation that has the server looked at early.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Resync string `json:"resync,omitempty"`
	// Reboot is the UID of the Operation that has the server rebooted, once.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reboot string `json:"reboot,omitempty"`
	// CheckAfter asks to look once at the node in the tenant, and at the server in the cloud:
	// nothing is given up by what was known from before. It is when that was asked for, and who
	// has looked repeats it in status, so that the clocks of two who look need not agree.
	// +optional
	CheckAfter *metav1.Time `json:"checkAfter,omitempty"`
	// DrainTimeoutSeconds is how long PodDisruptionBudgets are respected when the node is
	// emptied.
	// +optional
	// +default=600
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=600
	DrainTimeoutSeconds *int32 `json:"drainTimeoutSeconds,omitempty"`
}

// PoolReference names a NodePool for good: another one of its name has another UID.
type PoolReference struct {
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`
}

// MachineTemplate is what a server is made by. Two Machines of one template are alike.
//
// +kubebuilder:validation:XValidation:rule="has(self.diskGiB) == has(oldSelf.diskGiB) && has(self.availabilityZone) == has(oldSelf.availabilityZone) && has(self.serverGroupID) == has(oldSelf.serverGroupID) && has(self.securityGroups) == has(oldSelf.securityGroups) && has(self.networks) == has(oldSelf.networks) && has(self.floatingIP) == has(oldSelf.floatingIP)",message="a Machine's template cannot be changed, but for release and image: create another Machine"
type MachineTemplate struct {
	// Release is the KubernetesRelease that the node runs.
	// +kubebuilder:validation:MaxLength=32
	Release string `json:"release"`
	// Image is the id of the image that it boots, in place of the Infrastructure's for the
	// release.
	// +optional
	// +kubebuilder:validation:MaxLength=36
	Image string `json:"image,omitempty"`
	// Flavor is the name of one of the Infrastructure's flavors.
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Machine's template cannot be changed, but for release and image: create another Machine"
	Flavor string `json:"flavor"`
	// DiskGiB is the size of the volume that it boots from; 0 is the flavor's own disk.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Machine's template cannot be changed, but for release and image: create another Machine"
	DiskGiB int64 `json:"diskGiB,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Machine's template cannot be changed, but for release and image: create another Machine"
	AvailabilityZone string `json:"availabilityZone,omitempty"`
	// ServerGroupID is the server group of Nova that keeps it apart from others.
	// +optional
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Machine's template cannot be changed, but for release and image: create another Machine"
	ServerGroupID string `json:"serverGroupID,omitempty"`
	// SecurityGroups are ids of further ones.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Machine's template cannot be changed, but for release and image: create another Machine"
	SecurityGroups []string `json:"securityGroups,omitempty"`
	// Networks are ids of further ones.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Machine's template cannot be changed, but for release and image: create another Machine"
	Networks []string `json:"networks,omitempty"`
	// FloatingIP is whether it has an address in the external network.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Machine's template cannot be changed, but for release and image: create another Machine"
	FloatingIP bool `json:"floatingIP,omitempty"`
}

// MachineState is a word for where a Machine is in its life.
// +kubebuilder:validation:Enum=Pending;Installing;Ready;NotReady;Draining;Terminating
type MachineState string

const (
	// MachinePending has no server yet.
	MachinePending MachineState = "Pending"
	// MachineInstalling has a server whose node has never been Ready.
	MachineInstalling MachineState = "Installing"
	// MachineReady is a Ready node.
	MachineReady MachineState = "Ready"
	// MachineNotReady has been Ready and is not.
	MachineNotReady MachineState = "NotReady"
	// MachineDraining is being emptied, before it is deleted.
	MachineDraining MachineState = "Draining"
	// MachineTerminating is being deleted.
	MachineTerminating MachineState = "Terminating"
)

// MachineStatus is what is. It stays as it was while the cloud cannot be asked.
type MachineStatus struct {
	// State sums the rest up in a word.
	// +optional
	State MachineState `json:"state,omitempty"`
	// Message is the sentence that tells most about the state.
	// +optional
	Message string `json:"message,omitempty"`
	// ProjectID is the project in the cloud in which all is made. It is written before
	// anything is made: where it is empty there is nothing to delete.
	// +optional
	ProjectID string `json:"projectID,omitempty"`
	// ImageID and FlavorID are what the server is made of, resolved before it is made.
	// +optional
	ImageID string `json:"imageID,omitempty"`
	// +optional
	FlavorID string `json:"flavorID,omitempty"`
	// ServerID is the server.
	// +optional
	ServerID string `json:"serverID,omitempty"`
	// RequestedAt is when the server was asked for.
	// +optional
	RequestedAt *metav1.Time `json:"requestedAt,omitempty"`
	// UserDataLabels are the keys of labels, and UserDataTaints KEY:EFFECT of taints, with which
	// the kubelet of the server registers a Node that is not there; spec may have others by now.
	// Startup taints are not among them. They are written before the server is asked for.
	// +optional
	// +listType=atomic
	UserDataLabels []string `json:"userDataLabels,omitempty"`
	// +optional
	// +listType=atomic
	UserDataTaints []string `json:"userDataTaints,omitempty"`
	// Failures is how many servers were deleted because they did not become nodes.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// RetryAt is when the next server is made, after one that failed.
	// +optional
	RetryAt *metav1.Time `json:"retryAt,omitempty"`
	// FloatingIPID is the floating IP.
	// +optional
	FloatingIPID string `json:"floatingIPID,omitempty"`
	// Addresses are those of the server, the fixed one in the Cluster's network first.
	// +optional
	// +listType=atomic
	Addresses []string `json:"addresses,omitempty"`
	// Resynced tells for which Resyncs the server has been looked at: spec.resync, and that
	// of the ClusterNetwork after a slash.
	// +optional
	Resynced string `json:"resynced,omitempty"`
	// Reboot is how far the last reboot is that was asked for.
	// +optional
	Reboot *MachineReboot `json:"reboot,omitempty"`
	// Checked is the last look at the server in the cloud because of spec.checkAfter.
	// +optional
	Checked *MachineCheck `json:"checked,omitempty"`
	// Rebuild is how far the one is that runs; nil if none does.
	// +optional
	Rebuild *RebuildProgress `json:"rebuild,omitempty"`
	// Rebuilt is the id of the last one that has come to its end.
	// +optional
	Rebuilt string `json:"rebuilt,omitempty"`
	// RebuiltAt is when that was.
	// +optional
	RebuiltAt *metav1.Time `json:"rebuiltAt,omitempty"`
	// Node is what controlplane has written of the node; nil while it has nothing to tell of one.
	// +optional
	Node *MachineNode `json:"node,omitempty"`
	// ReadySince is when the node became Ready for the first time.
	// +optional
	ReadySince *metav1.Time `json:"readySince,omitempty"`
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MachineList is a list of Machines.
//
// +kubebuilder:object:root=true
type MachineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Machine `json:"items"`
}
