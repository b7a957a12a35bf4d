// Package kubeconfig builds kubeconfigs, merges them into a user's file and writes them.
//
// It knows nothing of clusters as API objects: names, addresses and keys are arguments. Certificates
// are made by package pki.
package kubeconfig

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/pkg/pki"
)

// fixedName is the name of the cluster, the user and the context in a kubeconfig that only a program
// reads and that is never merged with others.
const fixedName = "marina"

// ContextName is what a tenant cluster is called in a user's kubeconfig: "marina/<namespace>/<cluster>",
// for the cluster, the user and the context alike.
//
// The prefix keeps a cluster called "production" from taking the place of a context of that name which
// the user has already. The namespace is always there, so that the name never changes and never means
// two clusters; the slash, which neither part can contain, keeps a-b/c apart from a/b-c. A dot would do
// too, but "kubectl config set contexts.<name>..." cannot address a name with dots.
func ContextName(namespace, cluster string) string {
	return fmt.Sprintf("marina/%s/%s", namespace, cluster)
}

// Embedded is a kubeconfig that holds all it needs, to be handed to a person or another cluster. The
// cluster, the user and the context are called name. Server is a URL such as https://host:6443; caPEM
// is what the server's certificate is checked against.
func Embedded(name, server string, caPEM []byte, pair pki.KeyPair) *api.Config {
	return build(name,
		&api.Cluster{Server: server, CertificateAuthorityData: caPEM},
		&api.AuthInfo{ClientCertificateData: pair.CertPEM, ClientKeyData: pair.KeyPEM})
}

// ByFiles is a kubeconfig for a component. It names ca.crt, tls.crt and tls.key (pki.CAKey, pki.CertKey,
// pki.PrivateKeyKey) and must lie in the directory where these are: client-go takes relative names from
// the place of the kubeconfig, not from the working directory.
//
// A rotation needs no restart and no new kubeconfig. client-go reads the client's certificate and key
// again every five minutes and, when they have changed, reconnects with them
// (k8s.io/client-go/transport, CertCallbackRefreshDuration); it does the same for the CA from 1.36 on
// (feature ClientsAllowCARotation). For older components a changed CA is a restart.
func ByFiles(server string) *api.Config {
	return build(fixedName,
		&api.Cluster{Server: server, CertificateAuthority: pki.CAKey},
		&api.AuthInfo{ClientCertificate: pki.CertKey, ClientKey: pki.PrivateKeyKey})
}

// Bootstrap is what a kubelet joins with (--bootstrap-kubeconfig): a bootstrap token,
// "<6 characters>.<16 characters>", in place of a certificate.
func Bootstrap(server string, caPEM []byte, token string) *api.Config {
	return build(fixedName,
		&api.Cluster{Server: server, CertificateAuthorityData: caPEM},
		&api.AuthInfo{Token: token})
}

// build joins one cluster and one user, both called name, in a current context of that name.
func build(name string, cluster *api.Cluster, user *api.AuthInfo) *api.Config {
	cfg := api.NewConfig()
	cfg.Clusters[name] = cluster
	cfg.AuthInfos[name] = user
	cfg.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	cfg.CurrentContext = name
	return cfg
}

// Encode is cfg as YAML, the same bytes each time for the same cfg. They contain its secrets.
func Encode(cfg *api.Config) ([]byte, error) {
	data, err := clientcmd.Write(*cfg)
	if err != nil {
		return nil, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return data, nil
}
