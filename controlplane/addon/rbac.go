package addon

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	// KubeletClientUser is the user as which the API server calls kubelets: the
	// common name of its certificate in v1alpha1.SecretAPIServerKubeletClient.
	KubeletClientUser = "kube-apiserver-kubelet-client"

	userAnonymous = "system:anonymous"
	groupNodes    = "system:nodes"
)

// readers are the Roles, each with its binding, that let one ConfigMap be read by
// those who need it.
func readers() []client.Object {
	joining := []rbacv1.Subject{group(v1alpha1.GroupBootstrappers), group(groupNodes)}
	var objects []client.Object
	for _, r := range []struct {
		name, namespace, configMap string
		subjects                   []rbacv1.Subject
	}{
		// A node that knows only a token reads this before it can trust the server.
		{"kubeadm:bootstrap-signer-clusterinfo", namespacePublic, bootstrapapi.ConfigMapClusterInfo, []rbacv1.Subject{user(userAnonymous)}},
		{"kubeadm:kubelet-config", namespaceSystem, nameKubeletConfig, joining},
		{"kubeadm:nodes-kubeadm-config", namespaceSystem, nameKubeadmConfig, joining},
	} {
		objects = append(objects,
			&rbacv1.Role{
				TypeMeta:   rbacType("Role"),
				ObjectMeta: objectMeta(r.namespace, r.name),
				Rules: []rbacv1.PolicyRule{{
					APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{r.configMap}, Verbs: []string{"get"},
				}},
			},
			&rbacv1.RoleBinding{
				TypeMeta:   rbacType("RoleBinding"),
				ObjectMeta: objectMeta(r.namespace, r.name),
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.name},
				Subjects:   r.subjects,
			})
	}
	return objects
}

// rights are what holds for the whole cluster.
//
// The bindings with which kubeadm lets its bootstrappers approve their own requests
// are missing on purpose: package join decides who becomes a node.
func rights() []client.Object {
	return []client.Object{
		// "kubeadm join" asks whether a node of its name exists already.
		&rbacv1.ClusterRole{
			TypeMeta:   rbacType("ClusterRole"),
			ObjectMeta: objectMeta("", "kubeadm:get-nodes"),
			Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}}},
		},
		clusterRoleBinding("kubeadm:get-nodes", "kubeadm:get-nodes", group(v1alpha1.GroupBootstrappers)),
		clusterRoleBinding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", group(v1alpha1.GroupBootstrappers)),
		clusterRoleBinding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", user(KubeletClientUser)),
		clusterRoleBinding("marina:cluster-admins", "cluster-admin", group(v1alpha1.GroupClusterAdmins)),
	}
}

func clusterRoleBinding(name, role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta:   rbacType("ClusterRoleBinding"),
		ObjectMeta: objectMeta("", name),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   subjects,
	}
}

func rbacType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

// group and user set the API group as well, which the API server would default: so
// what is applied and what is stored are the same.
func group(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
}
