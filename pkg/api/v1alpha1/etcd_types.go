package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EtcdCluster is an etcd of three members that many tenants share, each within a
// key prefix of its own.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=marina
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.readyMembers`
// +kubebuilder:printcolumn:name="Tenants",type=integer,JSONPath=`.status.tenants`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="an EtcdCluster's name has at most 40 lower-case letters, digits and '-', and starts with a letter"
type EtcdCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   EtcdClusterSpec   `json:"spec"`
	Status EtcdClusterStatus `json:"status,omitempty,omitzero"`
}

// DefaultMaxTenants is what EtcdClusterSpec.MaxTenants is unless given.
const DefaultMaxTenants int32 = 250

// EtcdClusterSpec sizes an EtcdCluster. It has three members that Marina runs, unless it
// is external.
//
// +kubebuilder:validation:XValidation:rule="has(self.external) == has(oldSelf.external)",message="external can be neither added nor removed: the tenants' keys would be left behind; create another EtcdCluster"
// +kubebuilder:validation:XValidation:rule="has(self.external) || has(self.version)",message="version is required unless the EtcdCluster is external: set it, for example to 3.7.3"
// +kubebuilder:validation:XValidation:rule="!(has(self.external) && has(self.version))",message="version is of the members that Marina runs: leave it out with external"
// +kubebuilder:validation:XValidation:rule="has(self.certificates) == has(oldSelf.certificates)",message="certificates can be neither added nor removed: all tenants trust the CAs that there are; create another EtcdCluster"
// +kubebuilder:validation:XValidation:rule="!(has(self.external) && has(self.certificates))",message="certificates are of the members that Marina runs: leave them out with external"
type EtcdClusterSpec struct {
	// Version of etcd, without a leading v. It is at least 3.6.13: older ones let
	// a tenant watch and raise alarms beyond its prefix. It goes up one minor version at
	// a time and never down. It is required unless External is given.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isSemver(self) && !semver(self).isLessThan(semver('3.6.13'))",message="version must be an etcd version of at least 3.6.13, for example 3.7.3: older ones do not keep tenants apart"
	Version string `json:"version,omitempty"`
	// MaxTenants is the number of tenants that may be placed here.
	// +kubebuilder:default=250
	// +kubebuilder:validation:Minimum=0
	MaxTenants *int32 `json:"maxTenants,omitempty"`
	// StorageQuota is the size at which a member refuses writes, of the whole
	// store and not of one tenant. Changing it restarts the members one by one.
	// +kubebuilder:default="8Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('64Mi')) >= 0",message="storageQuota must be at least 64Mi, for example 8Gi: etcd takes zero for its own default and less for no limit"
	StorageQuota resource.Quantity `json:"storageQuota,omitempty,omitzero"`
	// StorageSize is that of each member's volume. Unless given it is twice the
	// StorageQuota and 2Gi: a defragmentation writes the store a second time.
	// +optional
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="storageSize must be more than nothing, for example 18Gi"
	StorageSize *resource.Quantity `json:"storageSize,omitempty"`
	// StorageClass of the members' volumes; empty is the management cluster's default.
	// It is of volumes that are yet to be made.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	StorageClass string `json:"storageClass,omitempty"`
	// Resources of each member: 250m, 1Gi and at most 4Gi unless given.
	// +optional
	Resources Size `json:"resources,omitempty,omitzero"`
	// WorkloadSpec is of the members that Marina runs.
	WorkloadSpec `json:",inline"`
	// Certificates says who makes the members' certificates: Marina unless given. Whether
	// they are given cannot be changed.
	// +optional
	Certificates *EtcdCertificates `json:"certificates,omitempty"`
	// External is an etcd that somebody else runs. It must have no users but Marina, and
	// compact itself; whether there is an External cannot be changed.
	// +optional
	External *ExternalEtcd `json:"external,omitempty"`
}

// EtcdCertificates has the certificates of an EtcdCluster made by cert-manager.
type EtcdCertificates struct {
	// IssuerRef names the issuer that signs the two CAs of the EtcdCluster. What members
	// and clients present is signed by these. It can be changed: the CAs keep their keys.
	// +required
	IssuerRef IssuerReference `json:"issuerRef"`
}

// IssuerReference names an issuer of cert-manager.
//
// +kubebuilder:validation:XValidation:rule="self.group != 'cert-manager.io' || self.kind in ['Issuer', 'ClusterIssuer']",message="kind must be Issuer or ClusterIssuer, unless another group is given"
type IssuerReference struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Kind of the issuer. An Issuer is in marina-system.
	// +kubebuilder:default=Issuer
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// Group of the kind.
	// +kubebuilder:default=cert-manager.io
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
}

// String is as people write it: ClusterIssuer platform.
func (r IssuerReference) String() string { return r.Kind + " " + r.Name }

// ExternalEtcd is how to reach an etcd that somebody else runs. Its Secrets are in
// marina-system and have the label marina.dev/shard, as all that Marina reads.
type ExternalEtcd struct {
	// Endpoints are the client URLs of all members. API servers use them as well.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=9
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^https://[^/?#]+:[0-9]+$')",message="an endpoint is written as https://etcd-0.example.com:2379"
	Endpoints []string `json:"endpoints"`
	// ClientCASecretRef names the Secret with the CA, tls.crt and tls.key, that the
	// members trust for clients. The tenants' certificates are signed by it.
	// +required
	ClientCASecretRef LocalReference `json:"clientCASecretRef"`
	// RootSecretRef names the Secret with the client certificate of etcd's user root,
	// tls.crt and tls.key, and, under ca.crt, whom to trust for the members' own.
	// +required
	RootSecretRef LocalReference `json:"rootSecretRef"`
}

// EtcdClusterStatus is what is.
type EtcdClusterStatus struct {
	// ClusterID is etcd's own, in hexadecimal, once all members have joined for the first
	// time. From then on a member without data is not allowed to begin anew by itself.
	// +optional
	ClusterID string `json:"clusterID,omitempty"`
	// Version is what the members have been told to run.
	// +optional
	Version string `json:"version,omitempty"`
	// Members that Marina runs, by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	Members []EtcdMember `json:"members,omitempty"`
	// Snapshot is the newest one that was taken before the members went to another minor
	// version.
	// +optional
	Snapshot *EtcdSnapshot `json:"snapshot,omitempty"`
	// SnapshotBegan is when the one was begun that a change of the version waits for. It
	// names it: what lies there from another time is not taken for it.
	// +optional
	SnapshotBegan *metav1.Time `json:"snapshotBegan,omitempty"`
	// ReadyMembers is the number of members that answer and have a leader.
	// +optional
	ReadyMembers int32 `json:"readyMembers"`
	// Tenants is the number of EtcdTenants that have been placed here.
	// +optional
	Tenants int32 `json:"tenants"`
	// Endpoints are the members' client URLs.
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

// EtcdMember is a member that Marina runs.
type EtcdMember struct {
	// Name is that of its pod or process.
	Name string `json:"name"`
	// ID is etcd's own, in hexadecimal.
	// +optional
	ID string `json:"id,omitempty"`
	// Data identifies what it has stored. When the host says that it is another, the
	// member's data is lost.
	// +optional
	Data string `json:"data,omitempty"`
	// Replacing identifies the data that a member is begun anew with, which has lost its
	// own.
	// +optional
	Replacing string `json:"replacing,omitempty"`
	// +optional
	Ready bool `json:"ready,omitempty"`
	// +optional
	Leader bool `json:"leader,omitempty"`
	// +optional
	Version string `json:"version,omitempty"`
	// DBSize is the size of its database, in bytes, to a hundredth of the quota.
	// +optional
	DBSize int64 `json:"dbSize,omitempty"`
	// LastDefragmented is when its database was written anew.
	// +optional
	LastDefragmented *metav1.Time `json:"lastDefragmented,omitempty"`
}

// EtcdSnapshot is a snapshot that has been checked: its content has the hash that the
// member has computed of it.
type EtcdSnapshot struct {
	// Name of the file, without the ending .db, on the volume of the workload
	// snapshot-<EtcdCluster>.
	Name string `json:"name"`
	// Version of etcd that the members ran.
	// +optional
	Version string `json:"version,omitempty"`
	// Revision of the store.
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// Size in bytes.
	// +optional
	Size int64 `json:"size,omitempty"`
	// SHA256 of the content, in hexadecimal.
	// +optional
	SHA256 string `json:"sha256,omitempty"`
	// Taken is when it was complete.
	// +optional
	Taken *metav1.Time `json:"taken,omitempty"`
}

// EtcdClusterList is a list of EtcdClusters.
//
// +kubebuilder:object:root=true
type EtcdClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EtcdCluster `json:"items"`
}
