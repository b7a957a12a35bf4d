package kubernetes

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// watchForeign makes the Host notice what happens to objects of somebody else, which do
// not have the labels by which the manager's own cache is limited.
func (h *Host) watchForeign(mgr ctrl.Manager) error {
	foreign, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		DefaultNamespaces: map[string]cache.Config{v1alpha1.SystemNamespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Field: fields.OneTermEqualSelector("type", string(corev1.SecretTypeDockerConfigJson))},
			&corev1.Node{}:   {Transform: onlyAddresses},
		},
		DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return err
	}
	nodes := handle(h.nodeChanged)
	nodes.UpdateFunc = func(before, o any) {
		// A node is written every few minutes.
		if !slices.Equal(before.(*corev1.Node).Status.Addresses, o.(*corev1.Node).Status.Addresses) {
			h.nodeChanged(before.(client.Object))
			h.nodeChanged(o.(client.Object))
		}
	}
	for kind, handler := range map[client.Object]toolscache.ResourceEventHandler{
		&corev1.Secret{}: handle(h.pullSecretChanged), &corev1.Node{}: nodes,
	} {
		informer, err := foreign.GetInformer(context.Background(), kind, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	h.mu.Lock()
	h.foreign = foreign
	h.mu.Unlock()
	return mgr.Add(foreign)
}

// onlyAddresses keeps of a node what is looked at. The rest is large.
func onlyAddresses(o any) (any, error) {
	node, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	return &corev1.Node{
		TypeMeta:   node.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion},
		Status:     corev1.NodeStatus{Addresses: node.Status.Addresses},
	}, nil
}

// pullSecretChanged tells about all Components: who uses it is seen by them.
func (h *Host) pullSecretChanged(client.Object) {
	h.mu.Lock()
	keys := make([]types.NamespacedName, 0, len(h.applied))
	for key := range h.applied {
		keys = append(keys, key)
	}
	h.mu.Unlock()
	for _, key := range keys {
		h.notify(key.Namespace, key.Name)
	}
}

// nodeChanged tells about the Components that are exposed at a node which comes or goes.
func (h *Host) nodeChanged(o client.Object) {
	services := &corev1.ServiceList{}
	if err := h.client.List(context.Background(), services); err != nil {
		// The cache is not filled yet: everything is looked at once it is.
		return
	}
	for i := range services.Items {
		if at := services.Items[i].Annotations[AnnotationNodeAddress]; at != "" && hasAddress(o.(*corev1.Node), at) {
			h.changed(&services.Items[i])
		}
	}
}

// countNodes counts the nodes; none as long as they are not known.
func (h *Host) countNodes() int {
	nodes, _, _ := h.nodes(context.Background())
	return len(nodes)
}

// nodes are those of the management cluster, with their addresses only, if they are known.
func (h *Host) nodes(ctx context.Context) (nodes []corev1.Node, known bool, err error) {
	h.mu.Lock()
	foreign := h.foreign
	h.mu.Unlock()
	if foreign == nil {
		return nil, false, nil
	}
	list := &corev1.NodeList{}
	err = foreign.List(ctx, list, client.UnsafeDisableDeepCopy)
	if notStarted(err) {
		return nil, false, nil
	}
	return list.Items, err == nil, err
}

// nodeLost reports whether no node has an address any more that one had.
func (h *Host) nodeLost(ctx context.Context, address string) (bool, error) {
	nodes, known, err := h.nodes(ctx)
	if !known {
		return false, err
	}
	for i := range nodes {
		if hasAddress(&nodes[i], address) {
			return false, nil
		}
	}
	return true, nil
}

func hasAddress(node *corev1.Node, address string) bool {
	for _, a := range node.Status.Addresses {
		if a.Address == address {
			return true
		}
	}
	return false
}

func notStarted(err error) bool {
	var not *cache.ErrCacheNotStarted
	return errors.As(err, &not)
}
