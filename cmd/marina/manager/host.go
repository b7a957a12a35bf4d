package manager

import (
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/controlplane/host/kubernetes"
)

// newHost is the host that makes Components workloads of the management cluster.
func newHost(mgr ctrl.Manager) (host.Host, error) {
	h := kubernetes.New(kubernetes.Options{
		Client: mgr.GetClient(),
		Live:   mgr.GetAPIReader(),
		Log:    mgr.GetLogger().WithName("host"),
	})
	return h, h.SetupWithManager(mgr)
}
