package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "marina.dev", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&Cluster{}, &ClusterList{},
		&KubernetesRelease{}, &KubernetesReleaseList{},
		&HostingClass{}, &HostingClassList{},
		&EtcdCluster{}, &EtcdClusterList{},
		&EtcdTenant{}, &EtcdTenantList{},
		&Operation{}, &OperationList{},
		&HostedControlPlane{}, &HostedControlPlaneList{},
		&NodeBootstrap{}, &NodeBootstrapList{},
		&Infrastructure{}, &InfrastructureList{},
		&ClusterNetwork{}, &ClusterNetworkList{},
		&NodePool{}, &NodePoolList{},
		&Machine{}, &MachineList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
})

// AddToScheme makes the kinds of this package known to a scheme.
var AddToScheme = schemeBuilder.AddToScheme
