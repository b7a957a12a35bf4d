package addon

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	namespaceSystem = metav1.NamespaceSystem
	namespacePublic = metav1.NamespacePublic
)

// basics are what every tenant needs:
//
//   - kube-public/cluster-info: where the API server is and what it is trusted by
//   - kube-system/kubelet-config: how kubelets are configured
//   - kube-system/kubeadm-config: what "kubeadm join" wants to know of the cluster
//   - the rights of strangers and of nodes that join to read these
//   - the rights of nodes that join, of the API server and of administrators
func (c checked) basics() ([]client.Object, error) {
	clusterInfo, err := c.clusterInfo()
	if err != nil {
		return nil, err
	}
	kubeletConfig, err := c.kubeletConfig()
	if err != nil {
		return nil, err
	}
	kubeadmConfig, err := c.kubeadmConfig()
	if err != nil {
		return nil, err
	}
	objects := []client.Object{clusterInfo, kubeletConfig, kubeadmConfig}
	objects = append(objects, readers()...)
	return append(objects, rights()...), nil
}

// labels mark what is ours in a tenant. It is the label that tools know; those of
// the management cluster mean nothing here.
func labels(more map[string]string) map[string]string {
	all := map[string]string{LabelManagedBy: ManagedBy}
	maps.Copy(all, more)
	return all
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels(nil)}
}

func configMap(namespace, name, key string, content []byte) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: objectMeta(namespace, name),
		Data:       map[string]string{key: string(content)},
	}
}
