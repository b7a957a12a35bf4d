package addon

import (
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/pkg/kubeconfig"
)

// Names that kubeadm looks for (k8s.io/kubernetes, cmd/kubeadm/app/constants).
const (
	nameKubeletConfig = "kubelet-config"
	keyKubeletConfig  = "kubelet"
	nameKubeadmConfig = "kubeadm-config"
	keyKubeadmConfig  = "ClusterConfiguration"
)

// kubeletCAFile is where a node keeps the CA that signs who may call its kubelet.
// "kubeadm join" writes the file there, and so does the user data of our own nodes.
const kubeletCAFile = "/etc/kubernetes/pki/ca.crt"

// clusterInfo is what a node that knows only an address and a token begins with. The
// cluster has no name in it: that is how the discovery of kubeadm finds it.
func (c checked) clusterInfo() (*corev1.ConfigMap, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters[""] = &clientcmdapi.Cluster{Server: c.Server, CertificateAuthorityData: c.CACert}
	data, err := kubeconfig.Encode(config)
	if err != nil {
		return nil, err
	}
	return configMap(namespacePublic, bootstrapapi.ConfigMapClusterInfo, bootstrapapi.KubeConfigKey, data), nil
}

// kubeletConfig is the release's configuration with what belongs to this cluster. It
// is handled as plain data: typed, it would gain the zero values of whatever version
// of the kubelet's types this binary is linked with.
func (c checked) kubeletConfig() (*corev1.ConfigMap, error) {
	raw := c.KubeletConfiguration.Raw
	if raw == nil && c.KubeletConfiguration.Object != nil {
		var err error
		if raw, err = json.Marshal(c.KubeletConfiguration.Object); err != nil {
			return nil, fmt.Errorf("kubeletConfiguration: %w", err)
		}
	}
	config := map[string]any{}
	if err := utiljson.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("kubeletConfiguration: %w", err)
	}
	if config["apiVersion"] != "kubelet.config.k8s.io/v1beta1" || config["kind"] != "KubeletConfiguration" {
		return nil, errors.New("kubeletConfiguration: must be a KubeletConfiguration of kubelet.config.k8s.io/v1beta1")
	}
	config["clusterDNS"] = []any{c.dns.String()}
	config["clusterDomain"] = c.Network.DNSDomain
	if err := unstructured.SetNestedField(config, kubeletCAFile, "authentication", "x509", "clientCAFile"); err != nil {
		return nil, fmt.Errorf("kubeletConfiguration: %w", err)
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("kubeletConfiguration: %w", err)
	}
	return configMap(namespaceSystem, nameKubeletConfig, keyKubeletConfig, data), nil
}

// kubeadmConfig is as much of a cluster's configuration as "kubeadm join" needs for
// a worker. It has nothing of the control plane's own addresses, certificates and
// etcd: these are not the tenant's to see.
//
// v1beta4 is what kubeadm reads from 1.31 on, and from 1.37 on the only one that is
// not experimental.
func (c checked) kubeadmConfig() (*corev1.ConfigMap, error) {
	data, err := yaml.Marshal(map[string]any{
		"apiVersion":           "kubeadm.k8s.io/v1beta4",
		"kind":                 "ClusterConfiguration",
		"clusterName":          "kubernetes",
		"kubernetesVersion":    c.KubernetesVersion,
		"controlPlaneEndpoint": c.endpoint,
		"networking": map[string]any{
			"dnsDomain":     c.Network.DNSDomain,
			"podSubnet":     c.Network.PodCIDR,
			"serviceSubnet": c.Network.ServiceCIDR,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("kubeadm-config: %w", err)
	}
	return configMap(namespaceSystem, nameKubeadmConfig, keyKubeadmConfig, data), nil
}
