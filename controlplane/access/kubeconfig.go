package access

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/kubeconfig"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Kubeconfig issues a kubeconfig for a cluster. It holds all it needs, and
// kubeconfig.NotAfter tells when it ends. A cluster gets one from the time that an
// API server has answered and administrators have their rights in it, even if nodes cannot
// join yet, and also while it is degraded, which is when somebody wants to look.
//
// Errors are of package reconcile: KindWait while the cluster is not so far, KindUser
// for a request that is refused. reader must be able to read the Secrets of the
// management namespace.
func Kubeconfig(ctx context.Context, reader client.Reader, cluster *v1alpha1.Cluster, req Request, now time.Time) (*clientcmdapi.Config, error) {
	// First what is wrong anyway: nobody should wait for a cluster to hear it.
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if cluster.DeletionTimestamp != nil {
		return nil, reconcile.UserError("ClusterDeleting", "cluster %s is being deleted: there is nothing to connect to", cluster.Name)
	}
	status := cluster.Status
	answers := status.ReadySince != nil || meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionAddonsReady)
	if !answers || status.Namespace == "" || status.Endpoint == "" {
		return nil, reconcile.Wait("ClusterNotReady", "cluster %s is not ready yet: %s", cluster.Name, waitFor(cluster))
	}

	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: status.Namespace, Name: v1alpha1.SecretCA}
	if err := reader.Get(ctx, key, secret); err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading the CA of cluster %s: %w", cluster.Name, err)
	}
	ca, trusted := pki.FromSecretData(secret.Data)
	if len(ca.CertPEM) == 0 || len(ca.KeyPEM) == 0 {
		return nil, reconcile.Wait("CAMissing", "the CA of cluster %s is not there: %s, and if that does not help, ask the platform team to look at Secret %s", cluster.Name, waitFor(cluster), key)
	}
	if len(trusted) == 0 {
		trusted = ca.CertPEM
	}

	pair, _, err := Issue(ca, req, now)
	if err != nil {
		return nil, err
	}
	return kubeconfig.Embedded(kubeconfig.ContextName(cluster.Namespace, cluster.Name), status.Endpoint, trusted, pair), nil
}

func waitFor(cluster *v1alpha1.Cluster) string {
	return fmt.Sprintf("wait for it with 'marina cluster wait %s -n %s' and try again", cluster.Name, cluster.Namespace)
}
