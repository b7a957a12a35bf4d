package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EtcdTenant is one tenant's place on a shared EtcdCluster: a user, a role and a
// key prefix, all named by the tenant's UID so that two tenants never collide.
// Only controllers write it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=marina
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Etcd cluster",type=string,JSONPath=`.status.etcdCluster`
// +kubebuilder:printcolumn:name="Prefix",type=string,JSONPath=`.status.prefix`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type EtcdTenant struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   EtcdTenantSpec   `json:"spec"`
	Status EtcdTenantStatus `json:"status,omitempty,omitzero"`
}

// EtcdTenantSpec says whose place it is and where it may be.
type EtcdTenantSpec struct {
	// TenantUID is the UID of the Cluster. User, role and prefix are named by it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="tenantUID cannot be changed: it names the tenant's keys"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="tenantUID must be lower-case letters, digits and '-'"
	TenantUID string `json:"tenantUID"`
	// EtcdClusters names the EtcdClusters that it may be placed on.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	EtcdClusters []string `json:"etcdClusters"`
	// ClientSecretName names the Secret, beside this object, that receives the
	// tenant's client certificate and the CA of the members.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClientSecretName string `json:"clientSecretName"`
	// Resync is a token: with a new one user, role and permission are looked at again.
	// +optional
	Resync string `json:"resync,omitempty"`
	// CertificatesNotBefore asks for a client certificate that was issued before that
	// time to be issued again.
	// +optional
	CertificatesNotBefore *metav1.Time `json:"certificatesNotBefore,omitempty"`
}

// EtcdTenantStatus is what is.
type EtcdTenantStatus struct {
	// EtcdCluster is where the tenant has been placed. It stays.
	// +optional
	EtcdCluster string `json:"etcdCluster,omitempty"`
	// Prefix of all the tenant's keys: /<uid>/.
	// +optional
	Prefix string `json:"prefix,omitempty"`
	// Endpoints are the client URLs of the members.
	// +optional
	// +listType=atomic
	Endpoints []string `json:"endpoints,omitempty"`
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// EtcdTenantList is a list of EtcdTenants.
//
// +kubebuilder:object:root=true
type EtcdTenantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EtcdTenant `json:"items"`
}
