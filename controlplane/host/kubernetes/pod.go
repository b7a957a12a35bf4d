package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/controlplane/component"
)

const (
	// defaultRegistry is what the images are called that nobody has put in a registry.
	defaultRegistry = "marina.local"
	// user is the uid and gid of every process.
	user = 65532
	// defaultGrace is what a Component gets that does not say; Kubernetes' default.
	defaultGrace = 30 * time.Second
	// moreGrace is what a pod gets besides: sidecars are stopped after the main process,
	// within the same time.
	moreGrace = 10 * time.Second
	// restartDelay is more than a Service takes to forget a pod whose process has died:
	// up to a second each until the kubelet and kube-proxy look, and what lies between.
	restartDelay = 5 * time.Second
)

// podTemplate is the pod of a Component.
func podTemplate(c component.Component) (corev1.PodTemplateSpec, error) {
	t, err := pod(c)
	if err != nil {
		return t, err
	}
	// What a replica looks at only when it begins without data replaces none.
	settled := c
	settled.Main.BeginArgs = nil
	settled.Sidecars = slices.Clone(c.Sidecars)
	for i := range settled.Sidecars {
		settled.Sidecars[i].BeginArgs = nil
	}
	hashed, err := pod(settled)
	if err != nil {
		return t, err
	}
	setAnnotation(&t.ObjectMeta, AnnotationTemplate, hashOf(hashed))
	return t, nil
}

func pod(c component.Component) (corev1.PodTemplateSpec, error) {
	t := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labelsOf(c.Name, c.Labels)}}
	if hash := mountsHash(c.Mounts); hash != "" {
		setAnnotation(&t.ObjectMeta, AnnotationMounts, hash)
	}
	if c.Begun {
		setAnnotation(&t.ObjectMeta, AnnotationBegun, "true")
	}
	if c.Restart != "" {
		setAnnotation(&t.ObjectMeta, AnnotationRestart, c.Restart)
	}
	volumes, mounts, err := volumesOf(c)
	if err != nil {
		return t, err
	}
	t.Spec = corev1.PodSpec{
		Volumes:                       volumes,
		TerminationGracePeriodSeconds: ptr.To(int64((cmp.Or(c.Grace, defaultGrace) + moreGrace) / time.Second)),
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](user), RunAsGroup: ptr.To[int64](user),
			FSGroup: ptr.To[int64](user), FSGroupChangePolicy: ptr.To(corev1.FSGroupChangeOnRootMismatch),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		TopologySpreadConstraints: zones(c),
		Affinity:                  hosts(c),
		NodeSelector:              c.Hosting.NodeSelector,
		Tolerations:               c.Hosting.Tolerations,
		PriorityClassName:         c.Hosting.PriorityClassName,
	}
	if name := pullSecretOf(c); name != "" {
		t.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: name}}
	}
	for _, p := range c.Sidecars {
		container, err := container(c, p, mounts)
		if err != nil {
			return t, err
		}
		// It starts before what follows, and is stopped after it.
		container.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		t.Spec.InitContainers = append(t.Spec.InitContainers, container)
	}
	main, err := container(c, c.Main, mounts)
	if err != nil {
		return t, err
	}
	if err := serve(c, &main); err != nil {
		return t, err
	}
	t.Spec.Containers = []corev1.Container{main}
	return t, nil
}

// container is what every process has in common.
func container(c component.Component, p component.Process, mounts []corev1.VolumeMount) (corev1.Container, error) {
	if len(p.BeginArgs) > 0 && !c.Data {
		return corev1.Container{}, fmt.Errorf("process %s: without data, args for the beginning would be those of every start", p.Name)
	}
	env, err := environment(c, p)
	dir := ""
	if uses(c, component.VarRun) {
		dir = dirRun
	}
	return corev1.Container{
		WorkingDir:      dir,
		Name:            p.Name,
		Image:           fmt.Sprintf("%s/%s:%s", cmp.Or(c.Hosting.Registry, defaultRegistry), p.Program, p.Version),
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{p.Program},
		Args:            slices.Concat(p.Args, p.BeginArgs),
		Env:             env,
		Resources: corev1.ResourceRequirements{
			Requests: resources(p.Resources.RequestMilliCPU, p.Resources.RequestMemory),
			Limits:   resources(0, p.Resources.LimitMemory),
		},
		VolumeMounts: mounts,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		// Why it has ended is then in the status of the pod.
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}, err
}

// environment is what a process is told of: the variables that it names, in an order
// that lets later ones refer to earlier ones, and its own.
func environment(c component.Component, p component.Process) ([]corev1.EnvVar, error) {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
	}
	known := []corev1.EnvVar{
		{Name: "FILES", Value: dirFiles},
		{Name: "RUN", Value: dirRun},
		field("ADDRESS", "status.podIP"),
		field("REPLICA", "metadata.name"),
	}
	if c.Data {
		known = append(known,
			corev1.EnvVar{Name: "DATA", Value: dirData},
			corev1.EnvVar{Name: "HOST", Value: hostOf(component.VarReplica+"."+c.Name, c.Namespace)})
	} else {
		known = append(known, field("HOST", "status.podIP"))
	}
	for _, port := range c.Ports {
		known = append(known, corev1.EnvVar{Name: "PORT_" + port.Name, Value: strconv.Itoa(int(port.Number))})
	}

	named, err := variables(texts(p))
	if err != nil {
		return nil, fmt.Errorf("process %s: %w", p.Name, err)
	}
	if named["HOST"] && c.Data {
		named["REPLICA"] = true
	}
	var env []corev1.EnvVar
	for _, v := range known {
		if named[v.Name] {
			env = append(env, v)
			delete(named, v.Name)
		}
	}
	if len(named) > 0 {
		return nil, fmt.Errorf("process %s: unknown variables %q", p.Name, slices.Sorted(maps.Keys(named)))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		env = append(env, corev1.EnvVar{Name: name, Value: p.Env[name]})
	}
	return env, nil
}

// serve adds what only the main process has.
func serve(c component.Component, main *corev1.Container) error {
	for _, p := range c.Ports {
		main.Ports = append(main.Ports, corev1.ContainerPort{Name: p.Name, ContainerPort: p.Number, Protocol: corev1.ProtocolTCP})
	}
	if delayed(c) {
		main.Env = append(main.Env,
			corev1.EnvVar{Name: "MARINA_RESTART_DELAY", Value: restartDelay.String()},
			corev1.EnvVar{Name: "MARINA_RESTART_MARK", Value: path.Join(dirRun, main.Name+".started")})
	}
	return addProbes(c, main)
}

// delayed reports whether the main process has clients that reach it through a Service:
// started again in its pod it waits, if its image knows how to (hack/images/launcher).
func delayed(c component.Component) bool { return !c.Data && len(c.Balanced) > 0 }

func resources(milliCPU, memory int64) corev1.ResourceList {
	list := corev1.ResourceList{}
	if milliCPU > 0 {
		list[corev1.ResourceCPU] = *resource.NewMilliQuantity(milliCPU, resource.DecimalSI)
	}
	if memory > 0 {
		list[corev1.ResourceMemory] = *resource.NewQuantity(memory, resource.BinarySI)
	}
	return list
}

// replaced tells the pods of one revision of a Deployment from those of others: the new
// pods of a rolling update would keep away from the old ones, and be together when these
// are gone.
func replaced(c component.Component) []string {
	if c.Data {
		return nil
	}
	return []string{"pod-template-hash"}
}

// zones keeps replicas in different zones where that is possible: demanding it would leave
// a rolling update in three zones without a place for the fourth pod.
func zones(c component.Component) []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:  &metav1.LabelSelector{MatchLabels: selectorOf(c.Name)},
		MatchLabelKeys: replaced(c),
	}}
}

// hosts keeps replicas on different hosts in the same way. It is no second constraint
// beside that of zones: the scheduler passes over nodes that do not have the labels of all
// constraints, so that without zones two members of etcd were put on one of three hosts.
func hosts(c component.Component) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey:    corev1.LabelHostname,
				LabelSelector:  &metav1.LabelSelector{MatchLabels: selectorOf(c.Name)},
				MatchLabelKeys: replaced(c),
			},
		}},
	}}
}
