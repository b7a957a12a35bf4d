//go:build chaos

package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/dataplane/garbage"
	"github.com/marina-dev/marina/dataplane/infrastructure"
	"github.com/marina-dev/marina/dataplane/machine"
	"github.com/marina-dev/marina/dataplane/network"
	"github.com/marina-dev/marina/dataplane/nodepool"
	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/apitest"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/release"
)

// kubeconfigOfManager makes this program a manager in place of tests.
const kubeconfigOfManager = "MARINA_FLEET_MANAGER"

// runManager runs the controllers of Clusters and of the dataplane until it is killed.
func runManager(kubeconfig string) error {
	ctrl.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: "0"}, Cache: apitest.SecretsOfShard()})
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	if err := operation.AddIndexes(ctx, mgr); err != nil {
		return err
	}
	c, live, pool := mgr.GetClient(), mgr.GetAPIReader(), &openstack.Pool{}
	projects := &project.Opener{Client: c, Live: live, Pool: pool, Now: time.Now}
	for _, r := range []interface{ SetupWithManager(ctrl.Manager) error }{
		&cluster.Reconciler{
			Client: c, Live: live, Now: time.Now,
			Deorbit: func(context.Context, string) ([]string, []string, error) { return nil, nil, nil },
			Inspect: func(context.Context, string, bool) (map[string]string, []release.DeprecatedAPI, error) {
				return nil, nil, nil
			},
		},
		&infrastructure.Reconciler{Client: c, Pool: pool},
		&network.Reconciler{Client: c, Live: live, Projects: projects, Now: time.Now},
		&machine.Reconciler{Client: c, Live: live, Projects: projects, Now: time.Now},
		&nodepool.Reconciler{Client: c, Live: live, Projects: projects, Now: time.Now, Suffix: func() string { return utilrand.String(5) }},
		&garbage.Reconciler{Client: c, Live: live, Projects: projects, Now: time.Now},
	} {
		if err := r.SetupWithManager(mgr); err != nil {
			return err
		}
	}
	return mgr.Start(ctx)
}

// manager is one that runs, in a process of its own.
type manager struct {
	testing.TB
	kubeconfig string
	cmd        *exec.Cmd
}

func newManager(t testing.TB) *manager {
	t.Helper()
	m := &manager{TB: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	at := management.Config
	check(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"m": {Server: at.Host, CertificateAuthorityData: at.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"m": {ClientCertificateData: at.CertData, ClientKeyData: at.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"m": {Cluster: "m", AuthInfo: "m"}},
		CurrentContext: "m",
	}, m.kubeconfig))
	m.start()
	t.Cleanup(m.kill)
	return m
}

func (m *manager) start() {
	m.Helper()
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env = append(os.Environ(), kubeconfigOfManager+"="+m.kubeconfig)
	m.cmd.Stdout, m.cmd.Stderr = os.Stderr, os.Stderr
	check(m, m.cmd.Start())
}

// kill ends it as a machine that fails does.
func (m *manager) kill() {
	m.Helper()
	check(m, m.cmd.Process.Kill())
	var exit *exec.ExitError
	if err := m.cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		m.Error(fmt.Errorf("the manager has ended by itself: %w", err))
	}
}
