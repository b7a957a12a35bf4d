package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// HostingSpec is how the platform wants what it runs to be hosted. All of it may be
// changed; what needs a restart goes through the replicas one by one.
type HostingSpec struct {
	// Exposure tells how tenants and their nodes reach API servers.
	// +kubebuilder:default={type: Host}
	Exposure ExposureSpec `json:"exposure,omitempty,omitzero"`
	// NodeAccess tells how API servers reach nodes and pods: Direct, over the network,
	// or through Konnectivity, for which each node's cluster runs agents that connect to
	// the API servers.
	// +kubebuilder:default=Direct
	NodeAccess NodeAccess `json:"nodeAccess,omitempty"`
	// Addons tells what Marina runs on the nodes of tenants, besides the agents of
	// Konnectivity.
	// +kubebuilder:default={}
	Addons AddonsSpec `json:"addons,omitempty,omitzero"`
	// Sizes are what the replicas of control planes ask for.
	// +optional
	Sizes        ControlPlaneSizes `json:"sizes,omitempty,omitzero"`
	WorkloadSpec `json:",inline"`
}

// ControlPlaneSizes are those of the components of a control plane. What is left out
// has its default, which 'kubectl get deployments' shows.
type ControlPlaneSizes struct {
	// +optional
	APIServer Size `json:"apiServer,omitempty,omitzero"`
	// +optional
	ControllerManager Size `json:"controllerManager,omitempty,omitzero"`
	// +optional
	Scheduler Size `json:"scheduler,omitempty,omitzero"`
	// Konnectivity is the server beside each API server.
	// +optional
	Konnectivity Size `json:"konnectivity,omitempty,omitzero"`
}

// Size is what a replica asks for and how much memory it may take. A limit is at least
// the request.
type Size struct {
	// CPU is requested.
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// Memory is requested.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`
	// +optional
	MemoryLimit *resource.Quantity `json:"memoryLimit,omitempty"`
}

// WorkloadSpec is how the platform wants pods to be made. A host without pods ignores
// it.
type WorkloadSpec struct {
	// Registry is put before the names of images, without a slash at the end. Empty is
	// what the images of 'make images' are called.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('/') && !self.contains('://')",message="registry is written without a scheme and without a slash at its end, for example registry.example.com/marina"
	Registry string `json:"registry,omitempty"`
	// ImagePullSecret names a Secret in marina-system, which is copied to where it is
	// needed in the management cluster. Tenants do not get it: theirs is that of addons.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ImagePullSecret string `json:"imagePullSecret,omitempty"`
	// NodeSelector and Tolerations are those of the pods.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// PriorityClassName is that of the pods.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// NodeAccess is a way from API servers to nodes.
// +kubebuilder:validation:Enum=Direct;Konnectivity
type NodeAccess string

const (
	// NodeAccessDirect is over the network.
	NodeAccessDirect NodeAccess = "Direct"
	// NodeAccessKonnectivity is through connections that agents in the tenant's cluster
	// open to the API servers.
	NodeAccessKonnectivity NodeAccess = "Konnectivity"
)

// AddonsSpec tells what Marina runs on the nodes of tenants. Their versions are of the
// KubernetesRelease.
type AddonsSpec struct {
	// CoreDNS answers at the cluster's DNS address. Its Corefile is the tenant's to change.
	// +kubebuilder:default=None
	CoreDNS AddonMode `json:"coreDNS,omitempty"`
	// KubeProxy makes Services work, unless the tenant's network does.
	// +kubebuilder:default=None
	KubeProxy AddonMode `json:"kubeProxy,omitempty"`
	// ImagePullSecret names a Secret in marina-system, with the label marina.dev/shard:
	// default, that is copied into each tenant for the images of what runs on its nodes.
	// A tenant's administrators can read it: let it open nothing else.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ImagePullSecret string `json:"imagePullSecret,omitempty"`
}

// AddonMode tells who runs an add-on.
// +kubebuilder:validation:Enum=Managed;None
type AddonMode string

const (
	// AddonManaged is applied and kept by Marina.
	AddonManaged AddonMode = "Managed"
	// AddonNone is not: what Marina has applied before is removed.
	AddonNone AddonMode = "None"
)

// ExposureType is a way to reach an API server.
// +kubebuilder:validation:Enum=Host;ClusterIP;NodePort;LoadBalancer
type ExposureType string

const (
	// ExposureHost serves on an address of the machine that runs the control plane;
	// for "marina up".
	ExposureHost ExposureType = "Host"
	// ExposureClusterIP serves inside the management cluster only.
	ExposureClusterIP ExposureType = "ClusterIP"
	// ExposureNodePort serves on a port of every node of the management cluster.
	ExposureNodePort ExposureType = "NodePort"
	// ExposureLoadBalancer serves at an address that a load balancer gives.
	ExposureLoadBalancer ExposureType = "LoadBalancer"
)

// ExposureSpec tells how tenants reach their API servers.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'NodePort' || !has(self.address)",message="address is only for exposure by NodePort: other types get theirs"
// +kubebuilder:validation:XValidation:rule="self.type == 'LoadBalancer' || !(has(self.sourceRanges) || has(self.loadBalancerClass))",message="sourceRanges and loadBalancerClass are only for exposure by LoadBalancer"
// +kubebuilder:validation:XValidation:rule="self.type != 'Host' || !has(self.annotations)",message="annotations are for Services, which exposure by Host has none of"
type ExposureSpec struct {
	// +kubebuilder:default=Host
	Type ExposureType `json:"type,omitempty"`
	// Address is the name or IP address that leads to the nodes of the management
	// cluster, for NodePort. Empty takes the internal address of one that is ready, and
	// keeps it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Address string `json:"address,omitempty"`
	// Annotations are put on the Services; one that is taken out here goes.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// SourceRanges are the networks from which the load balancer takes connections;
	// none is all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="a source range is written as 203.0.113.0/24"
	SourceRanges []string `json:"sourceRanges,omitempty"`
	// LoadBalancerClass of the Services. It cannot be changed once a Service has it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`
}
