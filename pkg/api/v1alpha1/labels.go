package v1alpha1

// Labels and finalizers that Marina sets. Everything that a controller creates
// carries LabelShard, so that caches can be limited to it and managers sharded.
const (
	// LabelShard selects the objects of one manager; its value is DefaultShard
	// until managers are sharded.
	LabelShard = "marina.dev/shard"
	// DefaultShard is the value of LabelShard.
	DefaultShard = "default"
	// LabelClusterUID links an object to its Cluster across namespaces, where an
	// owner reference cannot.
	LabelClusterUID = "marina.dev/cluster-uid"
	// LabelClusterName and LabelClusterNamespace tell a person whose it is.
	LabelClusterName      = "marina.dev/cluster-name"
	LabelClusterNamespace = "marina.dev/cluster-namespace"

	// ClusterFinalizer keeps a Cluster until its management namespace is gone.
	ClusterFinalizer = "marina.dev/cluster"
	// HostedControlPlaneFinalizer keeps a HostedControlPlane until its processes
	// and its EtcdTenant are gone.
	HostedControlPlaneFinalizer = "marina.dev/hosted-control-plane"
	// NodeBootstrapFinalizer keeps a NodeBootstrap until its token is revoked.
	NodeBootstrapFinalizer = "marina.dev/node-bootstrap"
	// LabelNodeBootstrap is the UID of a NodeBootstrap, on its token in the tenant.
	LabelNodeBootstrap = "marina.dev/node-bootstrap-uid"
	// EtcdTenantFinalizer keeps an EtcdTenant until its keys, user and role are
	// gone from etcd.
	EtcdTenantFinalizer = "marina.dev/etcd-tenant"
	// EtcdClusterFinalizer keeps an EtcdCluster until it has no tenants and its
	// members are stopped.
	EtcdClusterFinalizer = "marina.dev/etcd-cluster"
	// ClusterNetworkFinalizer keeps a ClusterNetwork until nothing of it is left in the
	// cloud.
	ClusterNetworkFinalizer = "marina.dev/cluster-network"
	// NodePoolFinalizer keeps a NodePool until it has no Machines and nothing of it is left
	// in the cloud.
	NodePoolFinalizer = "marina.dev/node-pool"
	// MachineFinalizer keeps a Machine until nothing of it is left in the cloud, and
	// NodeFinalizer until after that its node is gone from the tenant.
	MachineFinalizer = "marina.dev/machine"
	NodeFinalizer    = "marina.dev/node"

	// LabelPoolUID links a Machine to its NodePool across namespaces.
	LabelPoolUID = "marina.dev/pool-uid"
	// LabelPool is the name of the NodePool, on Machines and on the nodes in the tenant.
	LabelPool = "marina.dev/pool"

	// AnnotationEvicted is the EvictNode, by UID, that has made a NodePool smaller last, and
	// after a slash the generation of the spec that it has left.
	AnnotationEvicted = "marina.dev/evicted"
	// AnnotationAllowDeletion, with the value "true", lets an object be deleted that the
	// policy guarded-deletions.marina.dev guards.
	AnnotationAllowDeletion = "marina.dev/allow-deletion"

	// AnnotationAllowRemovedAPIs, with a minor version such as "1.37", lets a Cluster be
	// upgraded to that one although APIs are in use that it does not serve.
	AnnotationAllowRemovedAPIs = "marina.dev/allow-removed-apis"

	// SystemNamespace holds what belongs to the platform and to no tenant.
	SystemNamespace = "marina-system"
	// FieldOwner is the one field owner of Marina's server-side apply.
	FieldOwner = "marina"
)
