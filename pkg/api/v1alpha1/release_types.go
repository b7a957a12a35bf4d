package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// KubernetesRelease is one build of one Kubernetes version that clusters may run.
// Its name is the version and our build number, MAJOR.MINOR.PATCH-BUILD: 1.37.1-2
// is a newer build of Kubernetes v1.37.1 than 1.37.1-1, not a pre-release.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=krel,categories=marina
// +kubebuilder:printcolumn:name="Supported until",type=string,JSONPath=`.spec.supportedUntil`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^(0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})-[1-9][0-9]{0,4}$')",message="a release is named MAJOR.MINOR.PATCH-BUILD with numbers up to 99999, for example 1.37.1-1"
type KubernetesRelease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec KubernetesReleaseSpec `json:"spec"`
}

// KubernetesReleaseSpec is what belongs to a release and not to a cluster.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.addons) || (has(self.addons) && self.addons == oldSelf.addons)",message="addons cannot be changed, or they would be rolled out in every cluster at once: publish a new build of the release"
type KubernetesReleaseSpec struct {
	// SupportedUntil is the last day on which the release gets fixes.
	// +required
	// +kubebuilder:validation:Format=date
	// +kubebuilder:validation:MaxLength=10
	SupportedUntil string `json:"supportedUntil"`

	// Addons are the versions of what runs in and for every tenant besides Kubernetes
	// itself. Once set they cannot be changed.
	// +optional
	Addons ReleaseAddons `json:"addons,omitempty,omitzero"`

	// KubeletConfiguration holds the defaults of this minor's kubelets, a
	// KubeletConfiguration of kubelet.config.k8s.io/v1beta1. Cluster addresses
	// and certificates are added for each cluster. It cannot be changed, since
	// nodes that joined before would differ from nodes that join later.
	// +required
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="kubeletConfiguration cannot be changed: publish a new build of the release"
	// +kubebuilder:validation:Type=object
	KubeletConfiguration runtime.RawExtension `json:"kubeletConfiguration"`
}

// ReleaseAddons are versions as upstream writes them, which are the tags of images:
// v1.14.6. kube-proxy has the version of Kubernetes.
type ReleaseAddons struct {
	// +optional
	// +kubebuilder:validation:MaxLength=64
	CoreDNS string `json:"coreDNS,omitempty"`
	// Konnectivity is the version of its server and of its agents.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Konnectivity string `json:"konnectivity,omitempty"`
	// Pause holds the sandbox of a pod on nodes.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Pause string `json:"pause,omitempty"`
}

// KubernetesReleaseList is a list of KubernetesReleases.
//
// +kubebuilder:object:root=true
type KubernetesReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KubernetesRelease `json:"items"`
}
