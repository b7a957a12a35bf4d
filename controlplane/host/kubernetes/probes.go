package kubernetes

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/marina-dev/marina/controlplane/component"
)

// addProbes adds the probes of the main process.
func addProbes(c component.Component, main *corev1.Container) error {
	if c.Readiness.Path != "" {
		ask, err := handler(c, c.Readiness)
		if err != nil {
			return fmt.Errorf("readiness: %w", err)
		}
		// It looks every second until the process is ready for the first time, so that a
		// start takes no longer than it has to. It gives up after an hour: what waits for
		// etcd, or a member for the others, is not helped by being started again.
		main.StartupProbe = &corev1.Probe{ProbeHandler: ask, PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: 3600, SuccessThreshold: 1}
		main.ReadinessProbe = &corev1.Probe{ProbeHandler: ask, PeriodSeconds: 5, TimeoutSeconds: 4, FailureThreshold: 2, SuccessThreshold: 1}
	}
	if c.Liveness.Path != "" {
		ask, err := handler(c, c.Liveness)
		if err != nil {
			return fmt.Errorf("liveness: %w", err)
		}
		// Only what has hung for two minutes is killed: under load a probe is late before
		// anything is wrong, and killing then makes it worse.
		main.LivenessProbe = &corev1.Probe{ProbeHandler: ask, PeriodSeconds: 10, TimeoutSeconds: 15, FailureThreshold: 12, SuccessThreshold: 1}
	}
	return nil
}

func handler(c component.Component, p component.Probe) (corev1.ProbeHandler, error) {
	port, err := portOf(c.Ports, p.Port)
	if err != nil {
		return corev1.ProbeHandler{}, err
	}
	scheme := corev1.URISchemeHTTPS
	if p.Plain {
		scheme = corev1.URISchemeHTTP
	}
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: p.Path, Port: intstr.FromInt32(port.Number), Scheme: scheme,
	}}, nil
}

// serving is where a pod is asked whether it is ready.
func serving(p *corev1.Pod) (component.HostPort, bool) {
	for _, c := range p.Spec.Containers {
		if c.ReadinessProbe != nil && c.ReadinessProbe.HTTPGet != nil && p.Status.PodIP != "" {
			return component.HostPort{Host: p.Status.PodIP, Port: c.ReadinessProbe.HTTPGet.Port.IntValue()}, true
		}
	}
	return component.HostPort{}, false
}

// portOf finds a port by its name.
func portOf(ports []component.Port, name string) (component.Port, error) {
	i := slices.IndexFunc(ports, func(p component.Port) bool { return p.Name == name })
	if i < 0 {
		return component.Port{}, fmt.Errorf("there is no port %q", name)
	}
	return ports[i], nil
}
