package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// NodeBootstrap asks for what one machine needs to become one node: a bootstrap token that
// lets in the node of that name and no other, and the configuration of its kubelet. It lies
// in the management namespace of the cluster, and only controllers write it. The token is
// revoked when the NodeBootstrap is deleted.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=marina
// +kubebuilder:printcolumn:name="Node",type=string,JSONPath=`.spec.nodeName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Expires",type=date,JSONPath=`.status.expirationTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a NodeBootstrap's name has at most 63 lower-case letters, digits and '-'"
type NodeBootstrap struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   NodeBootstrapSpec   `json:"spec"`
	Status NodeBootstrapStatus `json:"status,omitempty,omitzero"`
}

// NodeBootstrapSpec says for which node it is. Nothing of it can be changed: another node,
// or another time, takes another NodeBootstrap.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a NodeBootstrap cannot be changed: create another one"
type NodeBootstrapSpec struct {
	// NodeName is the only node that may join with it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="nodeName has lower-case letters, digits and '-', and begins and ends with a letter or digit"
	NodeName string `json:"nodeName"`
	// TTLSeconds is how long the token lets the node in: as long as the machine may take
	// to boot. Up to a day.
	// +optional
	// +default=1800
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=86400
	TTLSeconds int32 `json:"ttlSeconds,omitempty"`
}

// NodeBootstrapStatus is what is.
type NodeBootstrapStatus struct {
	// SecretName names the Secret beside this object with what the machine needs, under
	// KeyKubeconfig (a bootstrap kubeconfig) and KeyKubeletConfiguration. It is there
	// before the condition Ready is True.
	// +optional
	SecretName string `json:"secretName,omitempty"`
	// ExpirationTime is when the token stops to let the node in.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NodeBootstrapList is a list of NodeBootstraps.
//
// +kubebuilder:object:root=true
type NodeBootstrapList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodeBootstrap `json:"items"`
}
