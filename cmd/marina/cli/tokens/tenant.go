package tokens

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/controlplane/access"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// adminTTL is how long the credentials live that the token is written with: they
// never leave this process, which needs them once.
const adminTTL = 10 * time.Minute

// tenant is a cluster as its administrator sees it.
type tenant struct {
	client      kubernetes.Interface
	cluster     *api.Cluster
	unreachable failure.Unreachable
}

// explain says whose API server it is that cannot serve a request.
func (t *tenant) explain(err error) error {
	if !failure.CannotServe(err) {
		return err
	}
	u := t.unreachable
	u.Err = err
	return &u
}

func openTenant(ctx context.Context, s *session.Session, cluster *v1alpha1.Cluster, now time.Time) (*tenant, error) {
	config, err := access.Kubeconfig(ctx, s.Client, cluster, access.Request{TTL: adminTTL}, now)
	if err != nil {
		return nil, err
	}
	restConfig, err := clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, err
	}
	restConfig.UserAgent = s.Config.UserAgent
	unreachable := failure.Unreachable{
		What:   fmt.Sprintf("the API server of cluster %q", cluster.Name),
		Server: restConfig.Host,
		Do:     fmt.Sprintf("'marina cluster wait %s' tells whether it is ready; if it is, this machine cannot reach its address", cluster.Name),
	}
	failure.Reach(restConfig, unreachable)
	c, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return nil, err
	}
	return &tenant{client: c, cluster: config.Clusters[config.Contexts[config.CurrentContext].Cluster], unreachable: unreachable}, nil
}
