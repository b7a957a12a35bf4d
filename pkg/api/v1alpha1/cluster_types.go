package v1alpha1

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Cluster is a tenant's Kubernetes cluster: a control plane, and the nodes that
// join it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=marina
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Wanted",type=string,priority=1,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 30",message="a cluster's name has at most 30 characters: choose a shorter one"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a cluster's name starts with a letter and holds only lower-case letters, digits and '-' (not at its end): choose another one"
// +kubebuilder:validation:XValidation:rule="self.spec.version == oldSelf.spec.version || oldSelf.?status.?accepted.?version.orValue(\"\") == \"\" || (self.spec.version == oldSelf.?status.?version.orValue(\"\") && !oldSelf.?status.?committed.hasValue()) || (!oldSelf.?status.?readySince.hasValue() && oldSelf.status.?phase.orValue(\"\") in ['Pending', 'Creating', 'Error']) || self.spec.version == oldSelf.status.accepted.version || self.spec.version == oldSelf.?status.?committed.orValue(\"\") || (oldSelf.status.?phase.orValue(\"\") == 'Active' && oldSelf.status.accepted.version == oldSelf.spec.version)",messageExpression="\"the version can be changed only while the cluster is Active and has taken up its last change; now it is \" + (has(oldSelf.status.phase) ? oldSelf.status.phase : \"new\") + (has(oldSelf.status.operation) ? \" and operation \" + oldSelf.status.operation + \" runs\" : \"\") + \": wait for it with 'kubectl wait --for=jsonpath={.status.phase}=Active cluster/NAME' and change it then, or set it to what status.version, status.accepted.version or status.committed says\"",message="the version can be changed only while the cluster is Active and has taken up its last change: wait for it with 'kubectl wait --for=jsonpath={.status.phase}=Active cluster/NAME' and change it then, or set it to what status.version, status.accepted.version or status.committed says",fieldPath=".spec.version"
// +kubebuilder:validation:XValidation:rule="self.spec.version == oldSelf.spec.version || oldSelf.?status.?accepted.?version.orValue(\"\") == \"\" || (self.spec.version == oldSelf.?status.?version.orValue(\"\") && !oldSelf.?status.?committed.hasValue()) || (!oldSelf.?status.?readySince.hasValue() && oldSelf.status.?phase.orValue(\"\") in ['Pending', 'Creating', 'Error']) || semver(self.spec.version.split('-')[0]).isGreaterThan(semver(oldSelf.status.accepted.version.split('-')[0])) || (self.spec.version.split('-')[0] == oldSelf.status.accepted.version.split('-')[0] && int(self.spec.version.split('-')[1]) >= int(oldSelf.status.accepted.version.split('-')[1]))",message="a cluster cannot be downgraded: the older version may not read what has been stored. Choose its present version or a newer one ('kubectl get kubernetesreleases')",fieldPath=".spec.version"
// +kubebuilder:validation:XValidation:rule="self.spec.version == oldSelf.spec.version || oldSelf.?status.?accepted.?version.orValue(\"\") == \"\" || (self.spec.version == oldSelf.?status.?version.orValue(\"\") && !oldSelf.?status.?committed.hasValue()) || (!oldSelf.?status.?readySince.hasValue() && oldSelf.status.?phase.orValue(\"\") in ['Pending', 'Creating', 'Error']) || (semver(self.spec.version.split('-')[0]).major() == semver(oldSelf.status.accepted.version.split('-')[0]).major() && semver(self.spec.version.split('-')[0]).minor() <= semver(oldSelf.status.accepted.version.split('-')[0]).minor() + 1)",message="a cluster is upgraded one minor version at a time: upgrade to the next minor version first",fieldPath=".spec.version"
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   ClusterSpec   `json:"spec"`
	Status ClusterStatus `json:"status,omitempty,omitzero"`
}

// ClusterSpec is what the tenant asks for.
//
// +kubebuilder:validation:XValidation:rule="has(self.infrastructureRef) == has(oldSelf.infrastructureRef) && (!has(self.infrastructureRef) || self.infrastructureRef == oldSelf.infrastructureRef)",message="infrastructureRef can be neither changed nor added nor removed: create another cluster",fieldPath=".infrastructureRef"
// +kubebuilder:validation:XValidation:rule="has(self.infrastructureRef) == has(self.credentialsRef)",message="infrastructureRef and credentialsRef belong together: give both, the Infrastructure and a Secret of this namespace with your clouds.yaml for it; or neither, for nodes that you bring yourself",fieldPath=".credentialsRef"
// +kubebuilder:validation:XValidation:rule="has(self.infrastructureRef) || !has(self.network) || (!has(self.network.nodeCIDR) && !has(self.network.existing))",message="network.nodeCIDR and network.existing are of clusters whose nodes Marina makes: add infrastructureRef and credentialsRef, or remove them",fieldPath=".network"
// +kubebuilder:validation:XValidation:rule="!has(self.infrastructureRef) || !has(self.network) || has(self.network.nodeCIDR) || has(self.network.existing) || !has(self.network.podCIDR) || !isCIDR(self.network.podCIDR) || !(cidr(self.network.podCIDR).containsIP(cidr('10.250.0.0/22').ip()) || cidr('10.250.0.0/22').containsIP(cidr(self.network.podCIDR).ip()))",message="podCIDR overlaps 10.250.0.0/22, which nodes get unless you say otherwise: choose another range, or set network.nodeCIDR",fieldPath=".network.podCIDR"
// +kubebuilder:validation:XValidation:rule="!has(self.infrastructureRef) || !has(self.network) || has(self.network.nodeCIDR) || has(self.network.existing) || !has(self.network.serviceCIDR) || !isCIDR(self.network.serviceCIDR) || !(cidr(self.network.serviceCIDR).containsIP(cidr('10.250.0.0/22').ip()) || cidr('10.250.0.0/22').containsIP(cidr(self.network.serviceCIDR).ip()))",message="serviceCIDR overlaps 10.250.0.0/22, which nodes get unless you say otherwise: choose another range, or set network.nodeCIDR",fieldPath=".network.serviceCIDR"
type ClusterSpec struct {
	// InfrastructureRef names the Infrastructure in which Marina makes the nodes. Without
	// one, nodes are brought by whoever has them. It cannot be changed.
	// +optional
	InfrastructureRef *LocalReference `json:"infrastructureRef,omitempty"`

	// CredentialsRef names a Secret in this namespace. Under clouds.yaml it has a cloud
	// called openstack, with a password or an application credential for the project in
	// which the nodes are made, and whose quota they count in. The Secret may be replaced,
	// and another one named, at any time.
	// +optional
	CredentialsRef *LocalReference `json:"credentialsRef,omitempty"`

	// HostingClassRef names the HostingClass that tells how the platform hosts
	// the control plane. It cannot be changed.
	// +kubebuilder:default={name: default}
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="hostingClassRef cannot be changed: create another cluster with the class that you want"
	HostingClassRef LocalReference `json:"hostingClassRef,omitempty,omitzero"`

	// Version is the name of a KubernetesRelease, for example 1.37.1-1: the
	// Kubernetes version and the platform's build of it.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})[.](0|[1-9][0-9]{0,4})-[1-9][0-9]{0,4}$')",message="a version is written MAJOR.MINOR.PATCH-BUILD with numbers up to 99999, for example 1.37.1-1: see 'kubectl get kubernetesreleases'"
	Version string `json:"version"`

	// ControlPlane tells where the control plane runs.
	// +kubebuilder:default={type: Hosted}
	ControlPlane ControlPlaneSpec `json:"controlPlane,omitempty"`

	// Network holds the cluster's address ranges. It cannot be changed.
	// +kubebuilder:default={}
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="network cannot be changed after creation: create another cluster with the ranges that you want"
	Network TenantNetworkSpec `json:"network,omitempty"`

	// Access tells how the API server is reached.
	// +optional
	Access AccessSpec `json:"access,omitempty,omitzero"`

	// Maintenance tells what Marina may do to the cluster by itself, and when.
	// +optional
	Maintenance MaintenanceSpec `json:"maintenance,omitempty,omitzero"`
}

// ControlPlaneType is an architecture of control planes.
// +kubebuilder:validation:Enum=Hosted;Standalone
type ControlPlaneType string

const (
	// ControlPlaneHosted runs on the platform, always in three replicas.
	ControlPlaneHosted ControlPlaneType = "Hosted"
	// ControlPlaneStandalone runs on machines of the tenant's own.
	ControlPlaneStandalone ControlPlaneType = "Standalone"
)

// ControlPlaneSpec chooses and sizes the control plane.
//
// +kubebuilder:validation:XValidation:rule="self.type != 'Standalone'",message="Standalone control planes are not offered by this version: use type Hosted"
// +kubebuilder:validation:XValidation:rule="self.type != 'Hosted' || !has(self.replicas)",message="a Hosted control plane always has three replicas: remove controlPlane.replicas"
// +kubebuilder:validation:XValidation:rule="self.type != 'Hosted' || !has(self.flavor)",message="a Hosted control plane runs on the platform's machines and has no flavor: remove controlPlane.flavor"
type ControlPlaneSpec struct {
	// Type is Hosted (on the platform) or Standalone (on machines of the
	// tenant's). It cannot be changed.
	// +kubebuilder:default=Hosted
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="controlPlane.type cannot be changed: create another cluster with the type that you want"
	Type ControlPlaneType `json:"type,omitempty"`

	// Replicas is the number of control-plane machines, of type Standalone only.
	// +optional
	// +kubebuilder:validation:Enum=1;3
	Replicas *int32 `json:"replicas,omitempty"`

	// Flavor is the size of the control-plane machines, of type Standalone only.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Flavor string `json:"flavor,omitempty"`
}

// NetworkSpec holds the address ranges of pods and services. They are private to
// the cluster: two clusters may use the same.
//
// +kubebuilder:validation:XValidation:rule="!has(self.podCIDR) || !has(self.serviceCIDR) || !isCIDR(self.podCIDR) || !isCIDR(self.serviceCIDR) || !(cidr(self.podCIDR).containsIP(cidr(self.serviceCIDR).ip()) || cidr(self.serviceCIDR).containsIP(cidr(self.podCIDR).ip()))",message="podCIDR and serviceCIDR overlap: choose two ranges that share no address, for example 10.244.0.0/16 and 10.96.0.0/16"
type NetworkSpec struct {
	// PodCIDR is the range that pods get their addresses from, a /24 for each
	// node: a /16 serves 256 nodes.
	// +kubebuilder:default="10.244.0.0/16"
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self) == cidr(self).masked() && cidr(self).prefixLength() >= 8 && cidr(self).prefixLength() <= 22",message="podCIDR must be an IPv4 network between /8 and /22 with no host bits set, for example 10.244.0.0/16"
	PodCIDR string `json:"podCIDR,omitempty"`

	// ServiceCIDR is the range of the cluster IPs of services.
	// +kubebuilder:default="10.96.0.0/16"
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self) == cidr(self).masked() && cidr(self).prefixLength() >= 12 && cidr(self).prefixLength() <= 24",message="serviceCIDR must be an IPv4 network between /12 and /24 with no host bits set, for example 10.96.0.0/16"
	ServiceCIDR string `json:"serviceCIDR,omitempty"`

	// DNSDomain is the domain of the cluster's services.
	// +kubebuilder:default="cluster.local"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$') && !self.matches('(^|[.])[0-9]+$')",message="dnsDomain must be a DNS name of lower-case letters, digits, '-' and '.', with at most 63 characters between dots and no number at its end, for example cluster.local"
	DNSDomain string `json:"dnsDomain,omitempty"`
}

// AccessSpec tells how the API server is reached.
type AccessSpec struct {
	// CertSANs are further DNS names and IP addresses that the API server's
	// certificate is valid for. Changing them restarts nothing.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(n, isIP(n) || (n.matches('^([*][.])?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$') && !n.matches('(^|[.])[0-9]+$')))",message="certSANs must be DNS names (lower case, '*.' allowed in front) or IP addresses, without scheme or port"
	CertSANs []string `json:"certSANs,omitempty"`
}

// LocalReference names another object: in the same namespace or, of a
// cluster-scoped kind, in the cluster.
type LocalReference struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ClusterPhase is a word for where a Cluster is in its life. It is derived from
// facts on every pass, never from the phase before.
// +kubebuilder:validation:Enum=Pending;Creating;Active;Updating;Scaling;Upgrading;Degraded;Deleting;Error
type ClusterPhase string

const (
	// ClusterPending waits for something before anything is created.
	ClusterPending ClusterPhase = "Pending"
	// ClusterCreating has never been ready.
	ClusterCreating ClusterPhase = "Creating"
	// ClusterActive works and is as asked.
	ClusterActive ClusterPhase = "Active"
	// ClusterUpdating carries out a change other than of its version, or an action
	// that was asked for.
	ClusterUpdating ClusterPhase = "Updating"
	// ClusterUpgrading changes its version.
	ClusterUpgrading ClusterPhase = "Upgrading"
	// ClusterDegraded has been ready and is not as it should be: it still heals,
	// and accepts a resync, a corrected spec and its deletion.
	ClusterDegraded ClusterPhase = "Degraded"
	// ClusterDeleting is going away.
	ClusterDeleting ClusterPhase = "Deleting"
	// ClusterError cannot go on without a change by a person.
	ClusterError ClusterPhase = "Error"
)

// ClusterStatus is what is.
type ClusterStatus struct {
	// Phase sums the conditions up in a word.
	// +optional
	Phase ClusterPhase `json:"phase,omitempty"`
	// Message is the sentence that tells most about the phase.
	// +optional
	Message string `json:"message,omitempty"`
	// Operation names the Operation that runs; empty when none does.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Operation string `json:"operation,omitempty"`
	// Accepted is the part of the spec that the controller has taken up.
	// +optional
	Accepted *AcceptedSpec `json:"accepted,omitempty"`
	// Version is the release that the whole control plane runs.
	// +optional
	Version string `json:"version,omitempty"`
	// Committed is the release to which an upgrade only goes forward: the control plane
	// ceases to behave as the minor version of status.version, and what it stores from then
	// on that one may not read. It is empty again when status.version is that release.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Committed string `json:"committed,omitempty"`
	// Endpoint is the address of the API server, https://host:port.
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
	// Namespace is the management namespace that holds the control plane's
	// objects.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// ReadySince is when the control plane became ready for the first time.
	// +optional
	ReadySince *metav1.Time `json:"readySince,omitempty"`
	// CertificatesRenewedAt is when certificates of the control plane were last
	// replaced; an Operation tells of each time.
	// +optional
	CertificatesRenewedAt *metav1.Time `json:"certificatesRenewedAt,omitempty"`
	// EndOfSupport tells of the notice that was given that support of the release that runs
	// ends; empty while that is far away.
	// +optional
	EndOfSupport *EndOfSupport `json:"endOfSupport,omitempty"`
	// Postponed tells what stands against the upgrade that Marina was to begin by itself; empty
	// while none is due, or nothing has been found yet.
	// +optional
	Postponed *PostponedUpgrade `json:"postponed,omitempty"`
	// Deorbit tells of a deletion what becomes of load balancers and volumes; empty where
	// there are none to think of.
	// +optional
	Deorbit *DeorbitStatus `json:"deorbit,omitempty"`
	// ObservedGeneration is the generation of the spec that this status is of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions tell the why.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DeorbitStatus tells how what controllers in a cluster have made in the cloud is deleted, while
// there are nodes on which they run.
type DeorbitStatus struct {
	// StartedAt is when the deletion began.
	StartedAt metav1.Time `json:"startedAt"`
	// UnansweredSince is since when the cluster's API server has not answered; empty while it
	// does.
	// +optional
	UnansweredSince *metav1.Time `json:"unansweredSince,omitempty"`
	// FinishedAt is when all of it was gone, or was waited for no longer.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
	// Left names those that are still to go; empty at the end.
	// +optional
	Left string `json:"left,omitempty"`
	// Message tells what is waited for; at the end what is left, and what was to stay.
	// +optional
	Message string `json:"message,omitempty"`
}

// Deorbits reports whether a Cluster is being deleted and load balancers and volumes may be left
// that are to go before its nodes. One that has never been ready has none.
func (c *Cluster) Deorbits() bool {
	finished := c.Status.Deorbit != nil && c.Status.Deorbit.FinishedAt != nil
	return c.DeletionTimestamp != nil && slices.Contains(c.Finalizers, ClusterFinalizer) &&
		c.Spec.InfrastructureRef != nil && c.Status.ReadySince != nil && !finished
}

// AcceptedSpec is what the controller has taken up of a spec. A further change
// waits until it equals the spec.
type AcceptedSpec struct {
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Version string `json:"version,omitempty"`
	// Generation is that of the spec that was taken up last.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// ClusterList is a list of Clusters.
//
// +kubebuilder:object:root=true
type ClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Cluster `json:"items"`
}
