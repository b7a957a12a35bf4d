package kubernetes

import (
	"cmp"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// reserved is what a Service was given that must outlive it.
type reserved struct {
	ClusterIP string `json:"clusterIP,omitempty"`
	NodePort  int32  `json:"nodePort,omitempty"`
	Node      string `json:"node,omitempty"`
}

func (r reserved) String() string {
	if r.NodePort == 0 {
		return r.ClusterIP
	}
	return fmt.Sprintf("%s and port %d", r.ClusterIP, r.NodePort)
}

// reservedOf is what a Service was given.
func reservedOf(s *corev1.Service) reserved {
	r := reserved{ClusterIP: s.Spec.ClusterIP, Node: s.Annotations[AnnotationNodeAddress]}
	if s.Spec.Type == corev1.ServiceTypeNodePort && len(s.Spec.Ports) > 0 {
		r.NodePort = s.Spec.Ports[0].NodePort
	}
	return r
}

// balancedService is the Service of a balanced port. node is the address of a node, for
// a Service that is exposed at one.
func balancedService(r host.Reservation, index int, port component.Port, node string) (*corev1.Service, error) {
	e := exposureOf(r, index)
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: serviceName(r, index),
			Labels: labelsOf(r.Name, r.Labels), Annotations: maps.Clone(e.Annotations),
		},
		Spec: corev1.ServiceSpec{
			Selector:                 selectorOf(r.Name),
			Ports:                    []corev1.ServicePort{servicePort(port)},
			PublishNotReadyAddresses: r.Balanced[index].NotReady,
		},
	}
	switch e.Type {
	case v1alpha1.ExposureClusterIP:
		s.Spec.Type = corev1.ServiceTypeClusterIP
	case v1alpha1.ExposureNodePort:
		s.Spec.Type = corev1.ServiceTypeNodePort
		if node != "" {
			setAnnotation(&s.ObjectMeta, AnnotationNodeAddress, node)
		}
	case v1alpha1.ExposureLoadBalancer:
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Spec.LoadBalancerSourceRanges = e.SourceRanges
		if e.LoadBalancerClass != "" {
			s.Spec.LoadBalancerClass = &e.LoadBalancerClass
		}
	default:
		return nil, reconcile.UserError("NotHostable", "exposure by %s is for one machine: in a management cluster the HostingClass says ClusterIP, NodePort or LoadBalancer",
			cmp.Or(e.Type, v1alpha1.ExposureHost))
	}
	return s, nil
}

// exposureOf is that of a balanced port: what is internal is in the cluster only.
func exposureOf(r host.Reservation, index int) v1alpha1.ExposureSpec {
	if r.Balanced[index].Internal != "" {
		return v1alpha1.ExposureSpec{Type: v1alpha1.ExposureClusterIP}
	}
	return r.Exposure
}

// headlessService gives each replica of a Component with Data its name. Members look
// for each other before they are ready.
func headlessService(c component.Component) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metaOf(c, c.Name),
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone,
			Selector:                 selectorOf(c.Name),
			PublishNotReadyAddresses: true,
		},
	}
	for _, p := range c.Ports {
		s.Spec.Ports = append(s.Spec.Ports, servicePort(p))
	}
	return s
}

func servicePort(p component.Port) corev1.ServicePort {
	return corev1.ServicePort{Name: p.Name, Port: p.Number, TargetPort: intstr.FromInt32(p.Number), Protocol: corev1.ProtocolTCP}
}

// exposedAt is where a Service is reached from outside; false while nobody has given it
// an address.
func exposedAt(s *corev1.Service, e v1alpha1.ExposureSpec, port component.Port) (at component.HostPort, ok bool) {
	switch e.Type {
	case v1alpha1.ExposureNodePort:
		given := reservedOf(s)
		at = component.HostPort{Host: cmp.Or(e.Address, given.Node), Port: int(given.NodePort)}
	case v1alpha1.ExposureLoadBalancer:
		for _, i := range s.Status.LoadBalancer.Ingress {
			// An address is good for everything; those in a cluster need one.
			if at.Host = cmp.Or(i.IP, i.Hostname); at.Host != "" {
				break
			}
		}
		at.Port = int(port.Number)
	default:
		at = component.HostPort{Host: s.Spec.ClusterIP, Port: int(port.Number)}
	}
	return at, at.Host != "" && at.Port != 0
}
