package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Infrastructure is a region of an OpenStack in which clusters may have nodes: where it
// is, and what of it the platform offers. Nodes are made with the credentials of the
// project that a cluster is in, never with those of the Infrastructure.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=infra,categories=marina
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reachable",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Reachable")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="an Infrastructure's name has at most 63 lower-case letters, digits and '-', and starts with a letter"
type Infrastructure struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   InfrastructureSpec   `json:"spec"`
	Status InfrastructureStatus `json:"status,omitempty,omitzero"`
}

// InfrastructureSpec is where a region is and what of it is offered.
type InfrastructureSpec struct {
	// AuthURL is the address of Keystone, version 3. It cannot be changed: what clusters
	// have in one cloud is not in another.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/?#@ ]+(/[^?#@ ]*)?$')",message="authURL is the address of Keystone, without user and query, for example https://cloud.example.com:5000/v3"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="authURL cannot be changed: create another Infrastructure"
	AuthURL string `json:"authURL"`
	// Region is its name in the catalogue of Keystone. It cannot be changed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="region cannot be changed: create another Infrastructure"
	Region string `json:"region"`
	// CABundle is whom to trust for the endpoints of the cloud, in PEM, besides those that
	// the machine trusts.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:XValidation:rule="self.contains('-----BEGIN CERTIFICATE-----')",message="caBundle holds certificates in PEM, which begin with -----BEGIN CERTIFICATE-----"
	CABundle string `json:"caBundle,omitempty"`
	// CredentialsRef names a Secret in marina-system with the label marina.dev/shard. Under
	// clouds.yaml it has a cloud called openstack, with a password or an application
	// credential. It is used to look at what the cloud offers, and to make nothing.
	// +required
	CredentialsRef LocalReference `json:"credentialsRef"`
	// ExternalNetwork is the name or id of the network that routers of clusters have their
	// gateway in.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	ExternalNetwork string `json:"externalNetwork"`
	// DNSNameservers are the addresses of the servers that nodes ask for names, in the
	// networks that are made for clusters. Without any they ask those of the cloud.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="self.all(n, isIP(n))",message="dnsNameservers are IP addresses, for example 192.0.2.53"
	DNSNameservers []string `json:"dnsNameservers,omitempty"`
	// Releases are the KubernetesReleases that nodes may run here, each with an image.
	// +required
	// +listType=map
	// +listMapKey=release
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Releases []InfrastructureRelease `json:"releases"`
	// Flavors are the names of the flavors that nodes may have. Each has at least 2 GB of
	// memory.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Flavors []string `json:"flavors"`
}

// InfrastructureRelease is a KubernetesRelease with the image that its nodes boot.
type InfrastructureRelease struct {
	// Release is the name of a KubernetesRelease.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})-[1-9][0-9]{0,4}$')",message="a release is named MAJOR.MINOR.PATCH-BUILD, for example 1.37.1-1: see 'kubectl get kubernetesreleases'"
	Release string `json:"release"`
	// Image is the name or id of an image of Glance.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Image string `json:"image"`
}

// InfrastructureStatus is what was found in the cloud. It stays as it was while the cloud
// cannot be asked.
type InfrastructureStatus struct {
	// ExternalNetworkID is the id of spec.externalNetwork.
	// +optional
	ExternalNetworkID string `json:"externalNetworkID,omitempty"`
	// Images are those of spec.releases.
	// +optional
	// +listType=map
	// +listMapKey=release
	Images []InfrastructureImage `json:"images,omitempty"`
	// Flavors are those of spec.flavors.
	// +optional
	// +listType=map
	// +listMapKey=name
	Flavors []InfrastructureFlavor `json:"flavors,omitempty"`
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// InfrastructureImage is the image of a release.
type InfrastructureImage struct {
	// Release is the name of a KubernetesRelease.
	Release string `json:"release"`
	// ID is Glance's.
	ID string `json:"id"`
}

// InfrastructureFlavor is a flavor as Nova has it.
type InfrastructureFlavor struct {
	Name string `json:"name"`
	// ID is Nova's.
	ID string `json:"id"`
	// VCPUs is the number of its processors.
	VCPUs int32 `json:"vcpus"`
	// MemoryMiB is its memory, in MiB.
	MemoryMiB int64 `json:"memoryMiB"`
	// DiskGiB is its disk, in GiB. It is 0 where nodes boot from a volume.
	DiskGiB int64 `json:"diskGiB"`
}

// MinFlavorMemoryMiB is the memory that a node needs: what Kubernetes itself takes of a
// smaller one leaves nothing for pods. Many clouds call 2000 MiB 2 GB.
const MinFlavorMemoryMiB = 2000

// CloudsKey is the key of clouds.yaml in a Secret with credentials for an OpenStack, and
// CloudName that of the cloud in it.
const (
	CloudsKey = "clouds.yaml"
	CloudName = "openstack"
)

// InfrastructureList is a list of Infrastructures.
//
// +kubebuilder:object:root=true
type InfrastructureList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Infrastructure `json:"items"`
}
