package v1alpha1

// Condition types. A condition that is Unknown has not been looked at yet.
const (
	// ConditionReady sums the others up. On a Cluster and a HostedControlPlane it
	// means: a kubeconfig handed out now works, and a node could join now.
	ConditionReady = "Ready"
	// ConditionSpecAccepted tells whether the controller has taken up the spec.
	ConditionSpecAccepted = "SpecAccepted"
	// ConditionControlPlaneReady tells whether the API server, the
	// controller-manager and the scheduler serve.
	ConditionControlPlaneReady = "ControlPlaneReady"
	// ConditionEtcdReady tells whether the tenant has its place in etcd, and etcd
	// takes reads and writes.
	ConditionEtcdReady = "EtcdReady"
	// ConditionAddonsReady tells whether what every tenant needs has been applied
	// in it: what a joining node reads, the rights of administrators, and what runs on
	// its nodes.
	ConditionAddonsReady = "AddonsReady"
	// ConditionKonnectivityReady tells whether an agent connects the nodes with the API
	// servers, where these reach nodes through Konnectivity. It needs a node to run on.
	ConditionKonnectivityReady = "KonnectivityReady"
	// ConditionCertificatesValid tells whether every certificate of the control plane
	// is good, and when the next one is renewed.
	ConditionCertificatesValid = "CertificatesValid"
	// ConditionAvailable tells whether all replicas run, not only enough of them.
	ConditionAvailable = "Available"
	// ConditionStorageAvailable tells whether an etcd has room for what is written to it.
	ConditionStorageAvailable = "StorageAvailable"
	// ConditionUpToDate tells whether every replica runs the version and the
	// configuration asked for, and if not, what it waits for.
	ConditionUpToDate = "UpToDate"
	// ConditionCredentialsValid tells whether an OpenStack lets the credentials in.
	ConditionCredentialsValid = "CredentialsValid"
	// ConditionReachable tells whether an OpenStack answers. While it does not, what was
	// found there before is taken to be so still.
	ConditionReachable = "Reachable"
	// ConditionNetworkReady tells whether nodes can have ports in their network. Only
	// Clusters with an Infrastructure have it.
	ConditionNetworkReady = "NetworkReady"
	// ConditionNodePoolsReady tells whether all NodePools of a Cluster have their nodes.
	ConditionNodePoolsReady = "NodePoolsReady"
	// ConditionServerReady tells whether the server of a Machine runs.
	ConditionServerReady = "ServerReady"
	// ConditionHealthy tells whether all nodes of a NodePool that have been Ready are so, and
	// if not, when one is healed or why none is.
	ConditionHealthy = "Healthy"
	// ConditionSizeFrozen tells that a NodePool is being upgraded, and gets another number
	// of nodes only when that has ended. It is there only then.
	ConditionSizeFrozen = "SizeFrozen"
	// ConditionDeleting tells what a deletion waits for.
	ConditionDeleting = "Deleting"
	// ConditionSupported of a Cluster: the release that it runs gets fixes.
	ConditionSupported = "Supported"
)

const (
	// ReasonRolloutStuck is that of a SpecAccepted which is False because a replica that was
	// replaced does not become ready.
	ReasonRolloutStuck = "RolloutStuck"
	// ReasonPaused is that of an UpToDate which is False because the change of version has been
	// stopped.
	ReasonPaused = "Paused"
	// ReasonReplacing is that of a Ready of a NodePool that is Degraded, as a node is away, and
	// whose nodes are being replaced all the same.
	ReasonReplacing = "Replacing"
	// ReasonNodePoolBusy is that of a SpecAccepted of a Cluster which is Unknown because its
	// upgrade begins when its NodePools have ended what they have begun.
	ReasonNodePoolBusy = "NodePoolBusy"
)
