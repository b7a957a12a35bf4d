package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DefaultNodeCIDR is the range of nodes of a Cluster that says nothing of it: some 1,000
// addresses, for nodes and for what is in front of them.
const DefaultNodeCIDR = "10.250.0.0/22"

// TenantNetworkSpec holds the address ranges of a cluster: those of pods and services, and
// that of its nodes, where Marina makes them.
//
// +kubebuilder:validation:XValidation:rule="!has(self.nodeCIDR) || !has(self.existing)",message="an existing network has a range already: remove nodeCIDR, or remove existing to have a network made"
// +kubebuilder:validation:XValidation:rule="!has(self.nodeCIDR) || !has(self.podCIDR) || !isCIDR(self.nodeCIDR) || !isCIDR(self.podCIDR) || !(cidr(self.nodeCIDR).containsIP(cidr(self.podCIDR).ip()) || cidr(self.podCIDR).containsIP(cidr(self.nodeCIDR).ip()))",message="nodeCIDR and podCIDR overlap: choose two ranges that share no address",fieldPath=".nodeCIDR"
// +kubebuilder:validation:XValidation:rule="!has(self.nodeCIDR) || !has(self.serviceCIDR) || !isCIDR(self.nodeCIDR) || !isCIDR(self.serviceCIDR) || !(cidr(self.nodeCIDR).containsIP(cidr(self.serviceCIDR).ip()) || cidr(self.serviceCIDR).containsIP(cidr(self.nodeCIDR).ip()))",message="nodeCIDR and serviceCIDR overlap: choose two ranges that share no address",fieldPath=".nodeCIDR"
type TenantNetworkSpec struct {
	NetworkSpec `json:",inline"`

	// NodeCIDR is the range of the network that is made for the nodes, 10.250.0.0/22 if
	// nothing is said. Only with infrastructureRef.
	// +optional
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self) == cidr(self).masked() && cidr(self).prefixLength() >= 8 && cidr(self).prefixLength() <= 28",message="nodeCIDR must be an IPv4 network between /8 and /28 with no host bits set, for example 10.250.0.0/22"
	NodeCIDR string `json:"nodeCIDR,omitempty"`
	// Existing is a network for the nodes that is there already; then none is made, and
	// it is left as it is. Only with infrastructureRef.
	// +optional
	Existing *ExistingNetwork `json:"existing,omitempty"`
}

// ExistingNetwork is a network of the tenant's own. Its subnet has a router, whose way out
// nodes take.
type ExistingNetwork struct {
	// NetworkID is Neutron's id of the network.
	// +required
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$')",message="networkID is the id of a network and not its name: 'openstack network list' shows it"
	NetworkID string `json:"networkID"`
	// SubnetID is the id of the subnet in it that nodes get addresses from.
	// +required
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$')",message="subnetID is the id of a subnet and not its name: 'openstack subnet list' shows it"
	SubnetID string `json:"subnetID"`
}

// ClusterNetwork is the network of a Cluster's nodes in an OpenStack: network, subnet and
// router, or those that were there, and the security group of the nodes. It lives in the
// management namespace of its Cluster, and only controllers write it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=cnet,categories=marina
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Infrastructure",type=string,JSONPath=`.spec.infrastructureRef.name`
// +kubebuilder:printcolumn:name="Range",type=string,JSONPath=`.status.cidr`
// +kubebuilder:printcolumn:name="Network",type=string,priority=1,JSONPath=`.status.networkID`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClusterNetwork struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   ClusterNetworkSpec   `json:"spec"`
	Status ClusterNetworkStatus `json:"status,omitempty,omitzero"`
}

// ClusterNetworkSpec is computed from a Cluster.
type ClusterNetworkSpec struct {
	// ClusterRef is the Cluster that it belongs to. Objects in the cloud carry its UID.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="clusterRef cannot be changed"
	ClusterRef ClusterReference `json:"clusterRef"`
	// InfrastructureRef names the Infrastructure that it is in.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="infrastructureRef cannot be changed"
	InfrastructureRef LocalReference `json:"infrastructureRef"`
	// CredentialsRef names a Secret with clouds.yaml in the namespace of the Cluster. It is
	// read when it is used, and kept nowhere.
	// +required
	CredentialsRef LocalReference `json:"credentialsRef"`
	// NodeCIDR is the range of the subnet that is made; empty with existing.
	// +optional
	// +kubebuilder:validation:MaxLength=43
	NodeCIDR string `json:"nodeCIDR,omitempty"`
	// Existing is the network that is used instead.
	// +optional
	Existing *ExistingNetwork `json:"existing,omitempty"`
	// PodCIDR and ServiceCIDR are what the subnet must not overlap.
	// +optional
	// +kubebuilder:validation:MaxLength=43
	PodCIDR string `json:"podCIDR,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=43
	ServiceCIDR string `json:"serviceCIDR,omitempty"`
	// Resync is the UID of the Operation that has the network, and the servers in it, looked
	// at early. The network has been when status.observedGeneration is the one of this spec.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Resync string `json:"resync,omitempty"`
}

// ClusterNetworkStatus is what is, by ids. It stays as it was while the cloud cannot be
// asked.
type ClusterNetworkStatus struct {
	// ProjectID is the project in the cloud in which all is made. It is written before
	// anything is made: where it is empty there is nothing to delete.
	// +optional
	ProjectID string `json:"projectID,omitempty"`
	// NetworkID is the network that nodes have their ports in.
	// +optional
	NetworkID string `json:"networkID,omitempty"`
	// SubnetID is the subnet that they get their addresses from, and CIDR its range.
	// +optional
	SubnetID string `json:"subnetID,omitempty"`
	// +optional
	CIDR string `json:"cidr,omitempty"`
	// RouterID is the router of the subnet. It is empty where a network belongs to somebody
	// who does not show it; then nodes can have no floating IPs.
	// +optional
	RouterID string `json:"routerID,omitempty"`
	// ExternalNetworkID is the network that the router has its gateway in; floating IPs
	// come from it.
	// +optional
	ExternalNetworkID string `json:"externalNetworkID,omitempty"`
	// NodeSecurityGroupID is the security group that each port of a node has.
	// +optional
	NodeSecurityGroupID string `json:"nodeSecurityGroupID,omitempty"`
	// MTU is that of the network, in bytes.
	// +optional
	MTU int32 `json:"mtu,omitempty"`
	// DNSNameservers are those of the subnet. Without any, nodes ask those of the cloud.
	// +optional
	// +listType=atomic
	DNSNameservers []string `json:"dnsNameservers,omitempty"`
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClusterNetworkList is a list of ClusterNetworks.
//
// +kubebuilder:object:root=true
type ClusterNetworkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterNetwork `json:"items"`
}
