package addon

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	nameCoreDNS = "coredns"
	// appDNS and nameDNS are what tools look for since long before CoreDNS.
	appDNS  = "kube-dns"
	nameDNS = "kube-dns"
	roleDNS = "system:coredns"
	// dnsReplicas is enough for the loss of a node.
	dnsReplicas = 2
)

// coreDNS answers at the cluster's DNS address.
func (c checked) coreDNS() []client.Object {
	return []client.Object{
		serviceAccount(nameCoreDNS),
		&rbacv1.ClusterRole{
			TypeMeta:   rbacType("ClusterRole"),
			ObjectMeta: objectMeta("", roleDNS),
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{""}, Resources: []string{"services", "pods", "namespaces"}, Verbs: []string{"list", "watch"}},
				{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
			},
		},
		clusterRoleBinding(roleDNS, roleDNS, account(nameCoreDNS)),
		c.dnsService(),
		oneAtATime(appDNS, nameCoreDNS),
		c.dnsDeployment(),
	}
}

// corefile is the tenant's to change: forwarding a domain of theirs is the first thing
// that people do.
func (c checked) corefile() client.Object {
	return configMap(namespaceSystem, nameCoreDNS, "Corefile", fmt.Appendf(nil, `.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes %[1]s in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
        max_concurrent 1000
    }
    cache 30 {
        disable success %[1]s
        disable denial %[1]s
    }
    loop
    reload
    loadbalance
}
`, c.Network.DNSDomain))
}

func (c checked) dnsService() *corev1.Service {
	port := func(name string, protocol corev1.Protocol, number int32) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Protocol: protocol, Port: number, TargetPort: intstr.FromInt32(number)}
	}
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespaceSystem, Name: nameDNS,
			Labels: labels(map[string]string{
				labelApp: appDNS, "kubernetes.io/name": "CoreDNS", "kubernetes.io/cluster-service": "true",
			}),
			Annotations: map[string]string{"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
		},
		Spec: corev1.ServiceSpec{
			ClusterIP: c.dns.String(),
			Selector:  map[string]string{labelApp: appDNS},
			Ports: []corev1.ServicePort{
				port("dns", corev1.ProtocolUDP, 53), port("dns-tcp", corev1.ProtocolTCP, 53), port("metrics", corev1.ProtocolTCP, 9153),
			},
		},
	}
}

func (c checked) dnsDeployment() *appsv1.Deployment {
	container := corev1.Container{
		Name:    nameCoreDNS,
		Image:   c.image("coredns", c.Versions.CoreDNS),
		Command: []string{"coredns"},
		Args:    []string{"-conf", "/etc/coredns/Corefile"},
		// The address of the service "kubernetes" is there once kube-proxy is, and not at
		// all where the API server has no address that a service can lead to.
		Env: []corev1.EnvVar{{Name: "KUBERNETES_SERVICE_HOST", Value: c.host}, {Name: "KUBERNETES_SERVICE_PORT", Value: c.port}},
		Ports: []corev1.ContainerPort{
			{Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP},
			{Name: "dns-tcp", ContainerPort: 53, Protocol: corev1.ProtocolTCP},
			{Name: "metrics", ContainerPort: 9153, Protocol: corev1.ProtocolTCP},
		},
		Resources:       requests("100m", "70Mi", "170Mi"),
		SecurityContext: unprivileged("NET_BIND_SERVICE"),
		ReadinessProbe:  httpProbe("/ready", 8181),
		LivenessProbe:   httpProbe("/health", 8080),
		VolumeMounts:    []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns", ReadOnly: true}},
	}
	container.LivenessProbe.InitialDelaySeconds = 60
	container.LivenessProbe.FailureThreshold = 5
	container.LivenessProbe.TimeoutSeconds = 5
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: objectMeta(namespaceSystem, nameCoreDNS),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(dnsReplicas)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{labelApp: appDNS}},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(1)), MaxSurge: new(intstr.FromInt32(1))},
			},
			Template: c.template(appDNS, corev1.PodSpec{
				ServiceAccountName:        nameCoreDNS,
				PriorityClassName:         "system-cluster-critical",
				Tolerations:               moveSoon(),
				TopologySpreadConstraints: zones(appDNS),
				Affinity:                  hosts(appDNS),
				NodeSelector:              map[string]string{corev1.LabelOSStable: "linux"},
				SecurityContext:           restricted(),
				// The node's DNS: its own would be itself.
				DNSPolicy:  corev1.DNSDefault,
				Containers: []corev1.Container{container},
				Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: nameCoreDNS},
				}}}},
			}),
		},
	}
}
