package addon

import (
	"fmt"
	"net"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	agentFiles      = "/var/run/secrets/konnectivity"
	agentHealthPort = 8134
	// agentReplicas share what goes to nodes. What one carries is lost with its node
	// until servers have found that out, so that there are more than two.
	agentReplicas = 3
)

// konnectivity is the agents, and the right of the servers to ask about their tokens.
func (c checked) konnectivity() []client.Object {
	return []client.Object{
		serviceAccount(v1alpha1.KonnectivityAgent),
		clusterRoleBinding("marina:konnectivity-server", "system:auth-delegator", user(v1alpha1.KonnectivityServerUser)),
		oneAtATime(v1alpha1.KonnectivityAgent, v1alpha1.KonnectivityAgent),
		c.agents(),
	}
}

// agents connect to all konnectivity servers, which have one address together: an agent
// gets to one that it has not yet by trying again. It never stops trying
// (--sync-forever), because during a rollout there are more servers than at other
// times, and one that no agent has found cannot reach a webhook.
func (c checked) agents() *appsv1.Deployment {
	host, port, _ := net.SplitHostPort(c.Konnectivity)
	container := corev1.Container{
		Name:    v1alpha1.KonnectivityAgent,
		Image:   c.image("konnectivity-agent", c.Versions.Konnectivity),
		Command: []string{"konnectivity-agent"},
		Args: []string{
			"--agent-id=$(POD_NAME)",
			"--ca-cert=" + agentFiles + "/ca.crt",
			"--service-account-token-path=" + agentFiles + "/token",
			"--proxy-server-host=" + host,
			"--proxy-server-port=" + port,
			"--sync-forever=true",
			// Each attempt leads to any of three servers, and a new one serves some five
			// seconds after agents can reach it: with one attempt a second, and two agents, one
			// in twenty found no agent when it began.
			"--sync-interval=400ms",
			// When no server answers, all API servers may be waiting for an agent.
			"--sync-interval-cap=3s",
			// More than the 30 seconds that servers insist on.
			"--keepalive-time=35s",
			fmt.Sprintf("--health-server-port=%d", agentHealthPort),
			"--admin-bind-address=127.0.0.1",
			"--v=1",
		},
		Env:             []corev1.EnvVar{fieldEnv("POD_NAME", "metadata.name")},
		Ports:           []corev1.ContainerPort{{Name: "health", ContainerPort: agentHealthPort, Protocol: corev1.ProtocolTCP}},
		Resources:       requests("20m", "32Mi", "256Mi"),
		SecurityContext: unprivileged(),
		ReadinessProbe:  httpProbe("/readyz", agentHealthPort),
		LivenessProbe:   httpProbe("/healthz", agentHealthPort),
		VolumeMounts:    []corev1.VolumeMount{{Name: "files", MountPath: agentFiles, ReadOnly: true}},
	}
	container.ReadinessProbe.PeriodSeconds = 5
	container.LivenessProbe.InitialDelaySeconds = 15
	container.LivenessProbe.TimeoutSeconds = 5
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: objectMeta(namespaceSystem, v1alpha1.KonnectivityAgent),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(agentReplicas)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{labelApp: v1alpha1.KonnectivityAgent}},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(1)), MaxSurge: new(intstr.FromInt32(1))},
			},
			Template: c.template(v1alpha1.KonnectivityAgent, corev1.PodSpec{
				ServiceAccountName:           v1alpha1.KonnectivityAgent,
				AutomountServiceAccountToken: new(false),
				PriorityClassName:            "system-cluster-critical",
				Tolerations:                  moveSoon(),
				TopologySpreadConstraints:    zones(v1alpha1.KonnectivityAgent),
				Affinity:                     hosts(v1alpha1.KonnectivityAgent),
				NodeSelector:                 map[string]string{corev1.LabelOSStable: "linux"},
				SecurityContext:              restricted(),
				// The servers' name must be known without the DNS that runs in the cluster.
				DNSPolicy: corev1.DNSDefault,
				// Told to stop, an agent takes nothing new and carries on what it has; it does
				// not end by itself.
				TerminationGracePeriodSeconds: new(int64(15)),
				Containers:                    []corev1.Container{container},
				Volumes:                       []corev1.Volume{{Name: "files", VolumeSource: corev1.VolumeSource{Projected: agentVolume()}}},
			}),
		},
	}
}

// agentVolume is a token that is good for nothing but konnectivity servers, and the CA
// of their certificate.
func agentVolume() *corev1.ProjectedVolumeSource {
	return &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: v1alpha1.KonnectivityAudience, ExpirationSeconds: new(int64(3600)), Path: "token",
		}},
		{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
			Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
		}},
	}}
}
