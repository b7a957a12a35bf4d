package up

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/controllers"
	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// tenantsStop is how long tenants' processes may take to stop. A tenant that nobody
// uses takes a few seconds.
const tenantsStop = 2 * time.Minute

// tenants is the host of everything that belongs to tenants.
type tenants struct {
	options Options
	host    *local.Host
}

// setup adopts what runs, ends what belongs to nobody any more, and adds the
// controllers. It comes before they start: they must not meet what is about to go.
func (t *tenants) setup(ctx context.Context, mgr ctrl.Manager) (err error) {
	if err := checkOwner(ctx, mgr.GetAPIReader(), dataDir(t.options.DataDir)); err != nil {
		return err
	}
	t.host, err = local.New(local.Options{
		Dir:       dataDir(t.options.DataDir).tenants(),
		BinDir:    t.options.BinDir,
		Self:      t.options.Self,
		Address:   address,
		Exposed:   t.options.ExposeAddress,
		FirstPort: t.options.Tenants.First,
		LastPort:  t.options.Tenants.Last,
		Files:     local.APIFiles{Reader: mgr.GetClient()},
		Log:       logr.FromSlogHandler(t.options.Log.Handler()),
	})
	if err != nil {
		return err
	}
	if err := t.collectGarbage(ctx, mgr.GetAPIReader()); err != nil {
		return err
	}
	// Whatever its version, Marina's own program is here the one that runs.
	return controllers.Setup(ctx, mgr, t.host, "")
}

// collectGarbage ends what belongs to a control plane that is gone.
func (t *tenants) collectGarbage(ctx context.Context, api client.Reader) error {
	controlPlanes, etcds := &v1alpha1.HostedControlPlaneList{}, &v1alpha1.EtcdClusterList{}
	if err := errors.Join(api.List(ctx, controlPlanes), api.List(ctx, etcds)); err != nil {
		return fmt.Errorf("looking for what is hosted here: %w", err)
	}
	_, err := t.host.CollectGarbage(ctx, t.keeps(controlPlanes, etcds))
	return err
}

// keeps tells what is no garbage. An EtcdCluster goes only after its members: members
// without one mean that the management API knows less than the disk, as after the
// restore of an old backup, and theirs is the data of tenants.
func (t *tenants) keeps(controlPlanes *v1alpha1.HostedControlPlaneList, etcds *v1alpha1.EtcdClusterList) func(namespace, name string) bool {
	namespaces, members := map[string]bool{}, map[string]bool{nameCloud: true}
	for i := range controlPlanes.Items {
		namespaces[controlPlanes.Items[i].Namespace] = true
	}
	for i := range etcds.Items {
		members[component.EtcdName(etcds.Items[i].Name)] = true
		members[component.EtcdSnapshotName(etcds.Items[i].Name)] = true
	}
	return func(namespace, name string) bool {
		if namespace == v1alpha1.SystemNamespace && !members[name] {
			t.options.Log.Warn("There is data of an etcd that no EtcdCluster tells of: it is left alone", "namespace", namespace, "component", name)
		}
		return namespace == v1alpha1.SystemNamespace || namespaces[namespace]
	}
}

// stop stops all processes: first what uses API servers, then those, then etcd.
func (t *tenants) stop(ctx context.Context) error {
	if t.host == nil {
		return nil
	}
	return t.host.StopAll(ctx, stopOrder)
}

// livedOn reports whether tenants ran already when this Marina began.
func (t *tenants) livedOn() bool { return t.host != nil && t.host.Adopts() }

// leave leaves all processes to the next start.
func (t *tenants) leave() error {
	if t.host == nil {
		return nil
	}
	return t.host.Stop(context.Background(), false)
}

// stopOrder is the order in which Components are stopped.
func stopOrder(namespace, name string) int {
	switch {
	case namespace == v1alpha1.SystemNamespace && strings.HasPrefix(name, component.EtcdName("")):
		return 2
	case name == component.NameAPIServer:
		return 1
	default:
		return 0
	}
}
