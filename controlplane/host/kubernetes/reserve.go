package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// nodeRetry is when nodes are looked at again: nothing tells when one is ready.
	nodeRetry = 10 * time.Second
	// freeRetry is when an address is looked at again that is to become free; later it is a
	// tenth of the time that has passed.
	freeRetry = 200 * time.Millisecond
	// freeWithin is how long that is waited for. A port that an API server has forgotten to
	// free is free after three of its repairs, one every three minutes.
	freeWithin = 15 * time.Minute
)

// Reserve implements host.Host. It makes the Services of the balanced ports; the names
// of replicas are known beforehand, and lead somewhere if the Component has Data.
func (h *Host) Reserve(ctx context.Context, r host.Reservation) (component.Addresses, error) {
	a := component.Addresses{Exposed: map[string]component.HostPort{}, Internal: map[string]component.HostPort{}}
	for ordinal := range r.Replicas {
		ports := map[string]component.HostPort{}
		for _, p := range r.Ports {
			ports[p.Name] = component.HostPort{Host: hostOf(replicaOf(r.Name, ordinal)+"."+r.Name, r.Namespace), Port: int(p.Number)}
		}
		a.Replicas = append(a.Replicas, ports)
	}
	services, err := h.syncServices(ctx, r)
	if err != nil {
		return component.Addresses{}, err
	}
	for i, s := range services {
		port, err := portOf(r.Ports, r.Balanced[i].Port)
		if err != nil {
			return component.Addresses{}, err
		}
		at, ok := exposedAt(s, exposureOf(r, i), port)
		if !ok {
			return component.Addresses{}, noAddress(s, exposureOf(r, i))
		}
		if r.Balanced[i].Internal == "" {
			a.Exposed[port.Name] = at
		}
		if exposureOf(r, i).Type == v1alpha1.ExposureNodePort && exposureOf(r, i).Address == "" {
			if lost, err := h.nodeLost(ctx, at.Host); err != nil {
				return component.Addresses{}, err
			} else if lost {
				a.Lost = at.Host + " was the address of a node, and no node has it any more: give it to one, or let the HostingClass name an address that leads to all nodes as exposure.address"
			}
		}
		a.Internal[r.Balanced[i].Name()] = component.HostPort{Host: hostOf(s.Name, s.Namespace), Port: int(port.Number)}
	}
	return a, nil
}

// noAddress tells who is to give a Service its address.
func noAddress(s *corev1.Service, e v1alpha1.ExposureSpec) error {
	key := client.ObjectKeyFromObject(s)
	switch e.Type {
	case v1alpha1.ExposureLoadBalancer:
		return reconcile.Wait("WaitingForLoadBalancer", "no load balancer has given Service %s an address yet: its events tell why ('kubectl -n %s describe service %s')", key, key.Namespace, key.Name)
	case v1alpha1.ExposureNodePort:
		return reconcile.WaitFor(nodeRetry, "WaitingForNode", "Service %s is exposed at a node, and none is ready that has an internal address: the HostingClass may name one as exposure.address", key)
	default:
		return reconcile.Wait("WaitingForAddress", "Service %s has no address yet", key)
	}
}

// syncServices makes the Services of the balanced ports, in their order, and returns
// them with what they were given.
func (h *Host) syncServices(ctx context.Context, r host.Reservation) ([]*corev1.Service, error) {
	before, err := h.givenBefore(ctx, r)
	if err != nil {
		return nil, err
	}
	var services []*corev1.Service
	node := ""
	for i, b := range r.Balanced {
		port, err := portOf(r.Ports, b.Port)
		if err != nil {
			return nil, err
		}
		given := before[serviceName(r, i)]
		given.Node = cmp.Or(given.Node, node)
		s, err := h.syncService(ctx, r, i, port, given)
		if err != nil {
			return nil, err
		}
		services, node = append(services, s), reservedOf(s).Node
	}
	return services, nil
}

func serviceName(r host.Reservation, index int) string {
	return serviceOf(r.Name, index, r.Balanced[index].Name())
}

func (h *Host) syncService(ctx context.Context, r host.Reservation, index int, port component.Port, given reserved) (*corev1.Service, error) {
	node, err := given.Node, error(nil)
	exposure := exposureOf(r, index)
	if exposure.Type == v1alpha1.ExposureNodePort && exposure.Address == "" && node == "" {
		if node, err = h.nodeAddress(ctx); err != nil {
			return nil, err
		}
	}
	if exposure.Address != "" {
		node = ""
	}
	want, err := balancedService(r, index, port, node)
	if err != nil {
		return nil, err
	}
	live := &corev1.Service{}
	return live, h.syncLost(ctx, want, live, given)
}

// syncLost is sync of a Service. One that was lost gets the addresses of before, unless
// somebody else has them by now.
func (h *Host) syncLost(ctx context.Context, want, live *corev1.Service, given reserved) error {
	again := given
	if want.Spec.Type != corev1.ServiceTypeNodePort {
		again.NodePort = 0
	}
	again.Node = ""
	if again == (reserved{}) {
		return h.sync(ctx, want, live)
	}
	key := client.ObjectKeyFromObject(want)
	err := h.client.Get(ctx, key, live)
	if !apierrors.IsNotFound(err) {
		if err != nil {
			return err
		}
		h.waited(key, false)
		return h.sync(ctx, want, live)
	}
	lost := want.DeepCopy()
	lost.Spec.ClusterIP = again.ClusterIP
	lost.Spec.Ports[0].NodePort = again.NodePort
	err = reconcile.Apply(ctx, h.client, lost)
	if err != nil && !apierrors.IsInvalid(err) {
		return err
	}
	// The API server frees what a Service had after its deletion can be seen.
	if err != nil && strings.Contains(err.Error(), "already allocated") {
		taken, failed := h.taken(ctx, again)
		if failed != nil {
			return failed
		}
		if waited := h.waited(key, true); !taken && waited < freeWithin {
			return reconcile.WaitFor(min(max(freeRetry, waited/10), nodeRetry), "WaitingForAddress",
				"Service %s was lost, and its addresses (%s) are not free again yet: it gets others after %s", key, again, freeWithin)
		}
	}
	h.log.Info("Making a Service again that was lost", "namespace", want.Namespace, "service", want.Name, "before", again.String(), "as before", err == nil)
	return h.sync(ctx, want, live)
}

// waited is how long a Service has waited for its addresses: none if it begins now, or is
// not waiting any more.
func (h *Host) waited(service types.NamespacedName, waiting bool) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !waiting {
		delete(h.waiting, service)
		return 0
	}
	if _, ok := h.waiting[service]; !ok {
		h.waiting[service] = h.now()
	}
	return h.now().Sub(h.waiting[service])
}

// taken reports whether any Service has one of the addresses.
func (h *Host) taken(ctx context.Context, addresses reserved) (bool, error) {
	list := &corev1.ServiceList{}
	err := h.live.List(ctx, list)
	return slices.ContainsFunc(list.Items, func(s corev1.Service) bool {
		return slices.Contains(s.Spec.ClusterIPs, addresses.ClusterIP) ||
			addresses.NodePort != 0 && (s.Spec.HealthCheckNodePort == addresses.NodePort ||
				slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.NodePort == addresses.NodePort }))
	}), err
}

// givenBefore is what the Services of the balanced ports were given, by name: by
// themselves, or by what was noted when they were there.
func (h *Host) givenBefore(ctx context.Context, r host.Reservation) (map[string]reserved, error) {
	before := map[string]reserved{}
	look := func(reader client.Reader) (all bool, err error) {
		list := &corev1.ServiceList{}
		if err := reader.List(ctx, list, client.InNamespace(r.Namespace)); err != nil {
			return false, err
		}
		for i := range list.Items {
			before[list.Items[i].Name] = reservedOf(&list.Items[i])
		}
		for i := range r.Balanced {
			if _, ok := before[serviceName(r, i)]; !ok {
				return false, nil
			}
		}
		return true, nil
	}
	if all, err := look(h.client); all || err != nil {
		return before, err
	}
	// The cache may be late, and what is decided here stays.
	if all, err := look(h.live); all || err != nil {
		return before, err
	}
	notes, err := h.notes(ctx, r)
	for name, noted := range notes {
		if _, ok := before[name]; !ok {
			before[name] = noted
		}
	}
	return before, err
}

// notes are what the Deployment says that the Services were given.
func (h *Host) notes(ctx context.Context, r host.Reservation) (map[string]reserved, error) {
	d := &appsv1.Deployment{}
	err := h.client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Name}, d)
	text := d.Annotations[AnnotationReserved]
	if err != nil || text == "" {
		return nil, client.IgnoreNotFound(err)
	}
	notes := map[string]reserved{}
	if err := json.Unmarshal([]byte(text), &notes); err != nil {
		h.log.Error(err, "An annotation cannot be read and is written anew", "annotation", AnnotationReserved, "namespace", r.Namespace, "deployment", r.Name)
	}
	return notes, nil
}

// nodeAddress is the internal address of a node that is ready; empty if there is none.
func (h *Host) nodeAddress(ctx context.Context) (string, error) {
	nodes := &corev1.NodeList{}
	if err := h.live.List(ctx, nodes); err != nil {
		return "", err
	}
	return pickAddress(nodes.Items), nil
}

// pickAddress takes the first node by name, but one that is about to go only when there
// is no other.
func pickAddress(nodes []corev1.Node) string {
	slices.SortFunc(nodes, func(a, b corev1.Node) int {
		if a.Spec.Unschedulable != b.Spec.Unschedulable {
			if a.Spec.Unschedulable {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	for _, n := range nodes {
		if !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			continue
		}
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				return a.Address
			}
		}
	}
	return ""
}
