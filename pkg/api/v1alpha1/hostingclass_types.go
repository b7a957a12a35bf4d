package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// HostingClass tells how the platform hosts the control planes of the clusters
// that name it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=marina
// +kubebuilder:printcolumn:name="Exposure",type=string,JSONPath=`.spec.exposure.type`
// +kubebuilder:printcolumn:name="Etcd clusters",type=string,JSONPath=`.spec.etcdClusters`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type HostingClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec HostingClassSpec `json:"spec"`
}

// HostingClassSpec is how the platform hosts.
//
// +kubebuilder:validation:XValidation:rule="self.exposure.type == 'Host' || self.nodeAccess == 'Konnectivity'",message="nodeAccess must be Konnectivity unless exposure is by Host: with Direct, whoever administers a tenant can have its API servers call any address of the management cluster's network",fieldPath=".nodeAccess"
type HostingClassSpec struct {
	HostingSpec `json:",inline"`
	// EtcdClusters names the EtcdClusters that tenants of this class may be
	// placed on. The one with the fewest tenants and room for another is taken.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	EtcdClusters []string `json:"etcdClusters"`
}

// HostingClassList is a list of HostingClasses.
//
// +kubebuilder:object:root=true
type HostingClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HostingClass `json:"items"`
}
