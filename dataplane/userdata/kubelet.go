package userdata

import (
	"encoding/json"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// kubeletConfiguration is that of the cluster with what only this node has.
func kubeletConfiguration(n Node) (string, error) {
	config := map[string]any{}
	if err := yaml.Unmarshal(n.KubeletConfiguration, &config); err != nil {
		return "", invalid("the KubeletConfiguration cannot be read: %v", err)
	}
	if config["kind"] != "KubeletConfiguration" {
		return "", invalid("the KubeletConfiguration is of kind %v", config["kind"])
	}
	config["kubeReserved"] = Reserved(n.Capacity)
	if len(n.Taints) > 0 {
		// By way of JSON, as the kubelet reads them.
		text, err := json.Marshal(n.Taints)
		if err != nil {
			return "", err
		}
		var taints []any
		if err := json.Unmarshal(text, &taints); err != nil {
			return "", err
		}
		config["registerWithTaints"] = taints
	}
	text, err := yaml.Marshal(config)
	return string(text), err
}

// clusterCA is the CA of the cluster that a bootstrap kubeconfig leads to. One that holds
// more than a token is refused: it would be in the user data for as long as the server is.
func clusterCA(kubeconfig []byte) ([]byte, error) {
	config, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return nil, invalid("the bootstrap kubeconfig cannot be read")
	}
	current := config.Contexts[config.CurrentContext]
	if current == nil {
		return nil, invalid("the bootstrap kubeconfig has no current context")
	}
	cluster, user := config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo]
	if cluster == nil || user == nil || len(config.AuthInfos) != 1 {
		return nil, invalid("the bootstrap kubeconfig is not of one user and one cluster")
	}
	if cluster.Server == "" || len(cluster.CertificateAuthorityData) == 0 {
		return nil, invalid("the bootstrap kubeconfig has no server, or no CA of it")
	}
	if user.Token == "" || len(user.ClientKeyData)+len(user.ClientCertificateData)+len(user.Password) > 0 || user.ClientKey != "" || user.TokenFile != "" || user.Exec != nil || user.AuthProvider != nil {
		return nil, invalid("the bootstrap kubeconfig holds other credentials than a bootstrap token, which do not belong into user data")
	}
	return cluster.CertificateAuthorityData, nil
}
