package addon

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	nameKubeProxy = "kube-proxy"
	// kubeProxyFiles is where the ConfigMap appears.
	kubeProxyFiles = "/var/lib/kube-proxy"
	accountFiles   = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// kubeProxy makes Services work on every node.
func (c checked) kubeProxy() []client.Object {
	return []client.Object{
		serviceAccount(nameKubeProxy),
		clusterRoleBinding("marina:node-proxier", "system:node-proxier", account(nameKubeProxy)),
		c.kubeProxyConfig(),
		c.kubeProxyDaemonSet(),
	}
}

// kubeProxyConfig is plain text: typed, it would gain the zero values of whatever
// version of kube-proxy's types this binary is linked with.
func (c checked) kubeProxyConfig() *corev1.ConfigMap {
	config := configMap(namespaceSystem, nameKubeProxy, "config.conf", fmt.Appendf(nil, `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: %s
clientConnection:
  kubeconfig: %s/kubeconfig.conf
# How many connections the kernel follows is left to it: it goes by the memory, and a
# node that is itself a container may not change it.
conntrack:
  maxPerCore: 0
  min: 0
`, c.Network.PodCIDR, kubeProxyFiles))
	// It is what makes the address of the service "kubernetes" work, and cannot use it.
	config.Data["kubeconfig.conf"] = fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    certificate-authority: %[1]s/ca.crt
    server: %[2]s
users:
- name: default
  user:
    tokenFile: %[1]s/token
contexts:
- name: default
  context:
    cluster: default
    user: default
current-context: default
`, accountFiles, c.Server)
	return config
}

// kubeProxyDaemonSet runs on every node, whatever its taints. What needs all rights is
// done once, by a container that ends; what stays may change the network and no more.
func (c checked) kubeProxyDaemonSet() *appsv1.DaemonSet {
	container := func(name string, more ...string) corev1.Container {
		return corev1.Container{
			Name:         name,
			Image:        c.image(nameKubeProxy, c.KubernetesVersion),
			Command:      []string{nameKubeProxy},
			Args:         append([]string{"--config=" + kubeProxyFiles + "/config.conf", "--hostname-override=$(NODE_NAME)"}, more...),
			Env:          []corev1.EnvVar{fieldEnv("NODE_NAME", "spec.nodeName")},
			VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: kubeProxyFiles, ReadOnly: true}},
		}
	}
	prepare, run := container("prepare", "--init-only"), container(nameKubeProxy)
	prepare.SecurityContext = &corev1.SecurityContext{Privileged: new(true), ReadOnlyRootFilesystem: new(true)}
	run.SecurityContext = unprivileged("NET_ADMIN")
	run.Resources = requests("50m", "48Mi", "")
	run.LivenessProbe = httpProbe("/livez", 10256)
	run.LivenessProbe.FailureThreshold = 8
	// The configuration is read when it starts.
	template := c.template(nameKubeProxy, corev1.PodSpec{
		ServiceAccountName: nameKubeProxy,
		PriorityClassName:  "system-node-critical",
		HostNetwork:        true,
		Tolerations:        []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		NodeSelector:       map[string]string{corev1.LabelOSStable: "linux"},
		SecurityContext:    &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		InitContainers:     []corev1.Container{prepare},
		Containers:         []corev1.Container{run},
		Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: nameKubeProxy},
		}}}},
	})
	template.Annotations["marina.dev/config"] = Hash([]client.Object{c.kubeProxyConfig()})[:16]
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"},
		ObjectMeta: objectMeta(namespaceSystem, nameKubeProxy),
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{labelApp: nameKubeProxy}},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type:          appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: new(intstr.FromString("10%")), MaxSurge: new(intstr.FromInt32(0))},
			},
			Template: template,
		},
	}
}
