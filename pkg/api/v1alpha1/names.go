package v1alpha1

// Fixed names in a management namespace. One Secret holds one key pair, so that
// each component mounts no more than it needs.
const (
	// NameHostedControlPlane is the name of the one HostedControlPlane of a management
	// namespace, NameEtcdTenant that of the one EtcdTenant, and NameClusterNetwork that of
	// the one ClusterNetwork.
	NameHostedControlPlane = "control-plane"
	NameEtcdTenant         = "tenant"
	NameClusterNetwork     = "network"

	// SecretCA signs what clients, nodes and the API server present to each other.
	SecretCA = "ca"
	// SecretFrontProxyCA signs what the API server presents to aggregated APIs.
	SecretFrontProxyCA = "front-proxy-ca"
	// SecretServiceAccount signs service account tokens; its keys are KeySigning
	// and KeyVerifying.
	SecretServiceAccount = "service-account"
	// SecretAPIServerServing is what the API server presents to its clients.
	SecretAPIServerServing = "kube-apiserver-serving"
	// SecretAPIServerKubeletClient is what the API server presents to kubelets.
	SecretAPIServerKubeletClient = "kube-apiserver-kubelet-client"
	// SecretFrontProxyClient is what the API server presents to aggregated APIs.
	SecretFrontProxyClient = "front-proxy-client"
	// SecretControllerManagerClient and SecretSchedulerClient are what they present
	// to the API server.
	SecretControllerManagerClient = "kube-controller-manager-client"
	SecretSchedulerClient         = "kube-scheduler-client"
	// SecretKonnectivityServer is what the konnectivity servers present to agents and to
	// the API server.
	SecretKonnectivityServer = "konnectivity-server"
	// SecretEtcdClient is what the API server presents to etcd.
	SecretEtcdClient = "etcd-client"
	// SecretOpenStack may hold a clouds.yaml, under CloudsKey. An administrator makes it, for
	// a Cluster whose own credentials are gone with its namespace.
	SecretOpenStack = "openstack"
	// SecretEncryption holds the EncryptionConfiguration for data at rest, under
	// KeyEncryption.
	SecretEncryption = "encryption"

	// ConfigMapAPIServer holds configuration files of the API server.
	ConfigMapAPIServer = "kube-apiserver-config"
	// ConfigMapKonnectivity holds the API server's EgressSelectorConfiguration, under
	// KeyEgressSelector, and, under KeyKubeconfig, the kubeconfig of the konnectivity
	// server.
	ConfigMapKonnectivity = "konnectivity-server"
	// ConfigMapKubeconfig holds, under KeyKubeconfig, the kubeconfig of the
	// controller-manager and the scheduler, which names certificate files beside it.
	ConfigMapKubeconfig = "kubeconfig"

	// KeySigning and KeyVerifying are the private and the public key in
	// SecretServiceAccount.
	KeySigning   = "sa.key"
	KeyVerifying = "sa.pub"
	// KeyEncryption is the file in SecretEncryption.
	KeyEncryption = "encryption.yaml"
	// KeyAuthentication is the AuthenticationConfiguration in ConfigMapAPIServer.
	KeyAuthentication = "authentication.yaml"
	// KeyProbes is the file in ConfigMapAPIServer that lets probes ask for health.
	KeyProbes = "probes.jsonl"
	// KeyAgents is a file in ConfigMapKonnectivity that is there while the tenant has agents:
	// an API server that starts waits for one of them.
	KeyAgents = "agents"
	// KeyEgressSelector is a file in ConfigMapKonnectivity.
	KeyEgressSelector = "egress-selector.yaml"
	// KeyKubeconfig is the file in ConfigMapKubeconfig and in ConfigMapKonnectivity, and a
	// bootstrap kubeconfig in the Secret of a NodeBootstrap.
	KeyKubeconfig = "kubeconfig"
	// KeyKubeletConfiguration is a KubeletConfiguration in the Secret of a NodeBootstrap.
	KeyKubeletConfiguration = "kubelet.yaml"

	// GroupClusterAdmins is bound to cluster-admin in every tenant. Unlike
	// system:masters its rights can be taken away.
	GroupClusterAdmins = "marina:cluster-admins"
	// GroupBootstrappers is the group of joining nodes' tokens.
	GroupBootstrappers = "system:bootstrappers:marina:nodes"
	// KonnectivityServerUser is who a konnectivity server is to the API server, which it
	// asks about the tokens of agents.
	KonnectivityServerUser = "system:konnectivity-server"
	// KonnectivityAgent is the name of the agents and of their service account, in the
	// tenant's kube-system, and KonnectivityAudience what their tokens are for.
	KonnectivityAgent    = "konnectivity-agent"
	KonnectivityAudience = "system:konnectivity-server"
	// AnnotationNodeName on a bootstrap token's Secret names the only node that
	// may join with it.
	AnnotationNodeName = "marina.dev/node-name"
)
