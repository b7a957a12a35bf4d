package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// HostedControlPlane is a control plane that the platform runs: three replicas
// each of API server, controller-manager and scheduler. It lives in the
// management namespace of its Cluster, and only controllers write it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=hcp,categories=marina
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=`.status.conditions[?(@.type=="Available")].status`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type HostedControlPlane struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   HostedControlPlaneSpec   `json:"spec"`
	Status HostedControlPlaneStatus `json:"status,omitempty,omitzero"`
}

// HostedControlPlaneSpec is computed from a Cluster and its HostingClass.
type HostedControlPlaneSpec struct {
	// ClusterRef is the Cluster that it belongs to.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="clusterRef cannot be changed"
	ClusterRef ClusterReference `json:"clusterRef"`
	// Version is the name of a KubernetesRelease.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Version string `json:"version"`
	// +required
	Network NetworkSpec `json:"network"`
	// CertSANs are further names of the API server's certificate.
	// +optional
	// +listType=atomic
	CertSANs    []string `json:"certSANs,omitempty"`
	HostingSpec `json:",inline"`
	// EtcdClusters names the EtcdClusters that the tenant may be placed on.
	// +required
	// +listType=atomic
	EtcdClusters []string `json:"etcdClusters"`
	// Restarts are tokens by component: a new one restarts its replicas, one at a
	// time.
	// +optional
	Restarts map[string]string `json:"restarts,omitempty"`
	// Resync is a token: with a new one everything is written again once.
	// +optional
	Resync string `json:"resync,omitempty"`
	// CertificatesNotBefore asks for every leaf certificate that was issued before
	// that time to be issued again.
	// +optional
	CertificatesNotBefore *metav1.Time `json:"certificatesNotBefore,omitempty"`
	// Paused stops a change of version where that is safe: each component stays at
	// the version that it was given last.
	// +optional
	Paused bool `json:"paused,omitempty"`
}

// ClusterReference names a Cluster in another namespace.
type ClusterReference struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
}

// HostedControlPlaneStatus is what is.
type HostedControlPlaneStatus struct {
	// Version is the release that every component runs; empty until the first one
	// runs, and the old one while it changes.
	// +optional
	Version string `json:"version,omitempty"`
	// Committed is a release of a newer minor version that every component runs, from the
	// moment on at which they cease to behave as the older one: there is no way back to
	// status.version then. It is empty again when that is done.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Committed string `json:"committed,omitempty"`
	// Endpoint is the address of the API server, https://host:port.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
	// Components are the replicas by component.
	// +optional
	// +listType=map
	// +listMapKey=name
	Components []ComponentStatus `json:"components,omitempty"`
	// AppliedAddons is a hash of the objects that have been applied in the tenant.
	// +optional
	AppliedAddons string `json:"appliedAddons,omitempty"`
	// KeptAddons is a digest of which of their fields Marina owns in the tenant: with
	// another one somebody has changed or deleted something.
	// +optional
	KeptAddons string `json:"keptAddons,omitempty"`
	// Resynced is the token of spec.resync that has been carried out.
	// +optional
	Resynced string `json:"resynced,omitempty"`
	// Certificates sums the leaf certificates up.
	// +optional
	Certificates *CertificatesStatus `json:"certificates,omitempty"`
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ComponentStatus counts the replicas of one component.
type ComponentStatus struct {
	Name string `json:"name"`
	// Version is the release that it was given last.
	// +optional
	Version string `json:"version,omitempty"`
	// Emulates is the older minor version, for example 1.36, that it was told to behave as;
	// empty if it behaves as its own.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Emulates string `json:"emulates,omitempty"`
	// ProgressedAt is when one more replica was replaced, or the replacement began, while the
	// version changes or goes back; empty otherwise.
	// +optional
	ProgressedAt *metav1.Time `json:"progressedAt,omitempty"`
	// Restart is the token of spec.restarts that it was given last.
	// +optional
	Restart string `json:"restart,omitempty"`
	// Replicas is how many are asked for.
	Replicas int32 `json:"replicas"`
	// Ready is how many serve.
	Ready int32 `json:"ready"`
	// Updated is how many run the present version and configuration.
	Updated int32 `json:"updated"`
	// Message tells why a replica is not ready, where that is known.
	// +optional
	Message string `json:"message,omitempty"`
}

// CertificatesStatus sums the leaf certificates of a control plane up.
type CertificatesStatus struct {
	// NotBefore is the spec.certificatesNotBefore that all of them satisfy.
	// +optional
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// RenewAt is when the first of them falls due.
	// +optional
	RenewAt *metav1.Time `json:"renewAt,omitempty"`
	// RenewedAt is when some were last replaced, after they had been made first.
	// +optional
	RenewedAt *metav1.Time `json:"renewedAt,omitempty"`
	// Renewed tells which were replaced then, and why.
	// +optional
	Renewed string `json:"renewed,omitempty"`
}

// HostedControlPlaneList is a list of HostedControlPlanes.
//
// +kubebuilder:object:root=true
type HostedControlPlaneList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HostedControlPlane `json:"items"`
}
