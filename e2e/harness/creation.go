package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/access"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Creation is how long a cluster took since it was applied.
type Creation struct {
	// FirstGet is until its administrator was answered for the first time, to a request
	// that needs rights.
	FirstGet time.Duration
	// Ready and Available are until these conditions were true: a node could join, and
	// every replica was ready.
	Ready, Available time.Duration
	// Kubeconfig is the administrator's.
	Kubeconfig *clientcmdapi.Config
}

// Create applies a cluster and watches it come up, within the limit. The first request
// is made as its administrator would: with a kubeconfig that is issued as soon as there
// is one to issue.
//
// It asks the management API for nothing while nothing changes: ten that look twenty
// times a second take a tenth of the CPU of two cores.
func Create(ctx context.Context, c client.WithWatch, cluster *v1alpha1.Cluster, limit time.Duration) (Creation, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	made, began := Creation{}, time.Now()
	if err := c.Create(ctx, cluster); err != nil {
		return made, err
	}
	watch, err := c.Watch(ctx, &v1alpha1.ClusterList{}, client.InNamespace(cluster.Namespace), client.MatchingFields{"metadata.name": cluster.Name})
	if err != nil {
		return made, err
	}
	defer watch.Stop()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if made.FirstGet == 0 {
			// It reads nothing before the kubeconfig can be issued.
			if kubeconfig, err := get(ctx, c, cluster); err == nil {
				made.Kubeconfig, made.FirstGet = kubeconfig, time.Since(began)
			}
		}
		conditions := cluster.Status.Conditions
		if made.Ready == 0 && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
			made.Ready = time.Since(began)
		}
		if made.FirstGet > 0 && made.Ready > 0 && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionAvailable) {
			made.Available = time.Since(began)
			return made, nil
		}
		select {
		case <-ctx.Done():
			return made, fmt.Errorf("cluster %s is %s after %s: %v", cluster.Name, cluster.Status.Phase, limit, conditions)
		case event := <-watch.ResultChan():
			seen, ok := event.Object.(*v1alpha1.Cluster)
			if !ok {
				return made, errors.Join(ctx.Err(), fmt.Errorf("the watch of cluster %s has ended: %v", cluster.Name, event.Object))
			}
			seen.DeepCopyInto(cluster)
		case <-ticker.C:
		}
	}
}

// get asks a tenant for its namespaces as its administrator, with a new kubeconfig.
func get(ctx context.Context, c client.Client, cluster *v1alpha1.Cluster) (*clientcmdapi.Config, error) {
	issued, err := access.Kubeconfig(ctx, c, cluster, access.Request{TTL: access.DefaultTTL}, time.Now())
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.NewDefaultClientConfig(*issued, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.Timeout = time.Second
	tenant, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	_, err = tenant.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	return issued, err
}
