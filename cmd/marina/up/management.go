package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/controlplane/host/local"
	"github.com/marina-dev/marina/pkg/kubeconfig"
)

// management is the management plane: etcd in this process, and an API server and
// a controller-manager as processes of their own. When this process is killed those
// two live on; the next one takes them over and replaces them in good order.
type management struct {
	dir  dataDir
	port int
	log  *slog.Logger

	host   *local.Host
	files  *managementFiles
	inputs managementInputs
	etcd   *managementEtcd
}

// openManagement takes over what is left of an earlier run, and reserves ports.
func openManagement(ctx context.Context, o Options, kubernetes string) (*management, error) {
	d := dataDir(o.DataDir)
	m := &management{
		dir:   d,
		port:  o.Port,
		log:   o.Log,
		files: &managementFiles{},
		inputs: managementInputs{
			kubernetes: kubernetes,
			run:        strconv.FormatInt(time.Now().UnixNano(), 36),
			server:     "https://" + net.JoinHostPort(address, strconv.Itoa(o.Port)),
		},
	}
	var err error
	m.host, err = local.New(local.Options{
		Dir:       d.management(),
		BinDir:    o.BinDir,
		Self:      o.Self,
		Address:   address,
		FirstPort: o.Port,
		LastPort:  o.Port + managementPorts - 1,
		Files:     m.files,
		Log:       logr.FromSlogHandler(o.Log.With("host", "management").Handler()),
	})
	if err != nil {
		return nil, err
	}
	if err := m.reserve(ctx); err != nil {
		return nil, errors.Join(err, m.host.Stop(ctx, false))
	}
	return m, nil
}

// reserve reserves the ports. That of the API server is the user's choice; of the
// others only that they stay the same is of interest.
func (m *management) reserve(ctx context.Context) error {
	// The host hands out its range in an order of its own: what is not the port that
	// it has to be is given back, and the next one is another.
	for range managementPorts + 1 {
		port, err := m.reservePort(ctx, programAPIServer, portHTTPS)
		if err != nil {
			return err
		}
		if port == m.port {
			break
		}
		// The port may be that of an earlier run, on which a server still runs.
		if err := m.remove(ctx, programAPIServer); err != nil {
			return err
		}
	}
	if port, err := m.reservePort(ctx, programAPIServer, portHTTPS); err != nil || port != m.port {
		return errors.Join(err, portTaken(m.port))
	}
	if _, err := m.reservePort(ctx, programControllerManager, portHTTPS); err != nil {
		return err
	}
	var err error
	m.inputs.etcdPort, err = m.reservePort(ctx, "etcd", "client")
	return err
}

func (m *management) reservePort(ctx context.Context, name, port string) (int, error) {
	addresses, err := m.host.Reserve(ctx, host.Reservation{Namespace: managementNamespace, Name: name, Replicas: 1, Ports: []component.Port{{Name: port}}})
	if err != nil {
		return 0, fmt.Errorf("reserving the port of %s: %w", name, err)
	}
	return addresses.Replicas[0][port].Port, nil
}

// remove stops a Component and waits until nothing of it is left.
func (m *management) remove(ctx context.Context, name string) error {
	return wait.PollUntilContextCancel(ctx, 25*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		return m.host.Delete(ctx, managementNamespace, name)
	})
}

// renewCredentials reads the keys, makes what is missing or due, and lets the
// running processes know: they read them again by themselves.
func (m *management) renewCredentials(now time.Time) error {
	keys, err := ensureCredentials(m.dir, now, m.log, m.etcd != nil)
	if err != nil {
		return err
	}
	m.inputs.keys = keys
	files, err := staticFiles(m.inputs)
	if err != nil {
		return err
	}
	m.files.set(files)
	return m.writeKubeconfig(keys)
}

// writeKubeconfig makes the administrator's kubeconfig what it is to be.
func (m *management) writeKubeconfig(keys *credentials) error {
	config := kubeconfig.Embedded("marina", m.inputs.server, keys.ca.CertPEM, keys.leaves[leafAdmin])
	wanted, err := kubeconfig.Encode(config)
	if err != nil {
		return err
	}
	if is, err := os.ReadFile(m.dir.kubeconfig()); m.dir.used() && (err != nil || !bytes.Equal(is, wanted)) {
		m.log.Info("writing the administrator's kubeconfig again: it was not what it should be", "file", m.dir.kubeconfig())
	}
	return kubeconfig.WriteFile(m.dir.kubeconfig(), config)
}

// apiServerStart limits how long the API server takes to be ready. On a calm
// machine of two cores it takes three seconds.
const apiServerStart = 90 * time.Second

// start starts etcd and the API server, and waits until that is ready.
func (m *management) start(ctx context.Context) (err error) {
	// First, because it may have to replace another, and needs its etcd only when
	// etcd has long started.
	if err := m.host.Apply(ctx, apiServer(m.inputs)); err != nil {
		return err
	}
	if m.etcd, err = startEtcd(ctx, m.dir, m.inputs.etcdPort); err != nil {
		return err
	}
	var status component.Status
	err = wait.PollUntilContextTimeout(ctx, 25*time.Millisecond, apiServerStart, true, func(ctx context.Context) (done bool, err error) {
		status, err = m.host.Status(ctx, managementNamespace, programAPIServer)
		return status.Done(), err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return failure.New("see the logs in "+filepath.Join(m.dir.management(), managementNamespace, programAPIServer),
			"the management API server is not ready after %s: %s", apiServerStart, status.Message)
	}
	return err
}

// startControllerManager starts the controller-manager and does not wait for it:
// it begins with what it finds then. It comes after the kinds, because it looks for
// new ones twice a minute only.
func (m *management) startControllerManager(ctx context.Context) error {
	return m.host.Apply(ctx, controllerManager(m.inputs))
}

// config reaches the API server as the holder of a certificate. Its files are read
// again when they are renewed.
func (m *management) config(leaf string) *rest.Config {
	keys := keyStore{dir: m.dir.pki()}
	return &rest.Config{
		Host: m.inputs.server,
		TLSClientConfig: rest.TLSClientConfig{
			CAFile:   keys.certFile("ca"),
			CertFile: keys.certFile(leaf),
			KeyFile:  keys.keyFile(leaf),
		},
		// It is on this machine, and defends itself by priority and fairness.
		QPS: -1,
	}
}

// renew renews what is due while Marina runs.
func (m *management) renew(ctx context.Context, now time.Time) error {
	if err := m.renewCredentials(now); err != nil {
		return err
	}
	if err := m.host.Apply(ctx, apiServer(m.inputs)); err != nil {
		return err
	}
	return m.startControllerManager(ctx)
}

// stopProcesses stops the controller-manager, then the API server.
func (m *management) stopProcesses(ctx context.Context) error {
	return m.host.StopAll(ctx, func(_, name string) int {
		if name == programAPIServer {
			return 1
		}
		return 0
	})
}

// stopEtcd comes after everything that uses it.
func (m *management) stopEtcd(ctx context.Context) error {
	if m.etcd == nil || m.etcd.over.Load() {
		return nil
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		m.etcd.Close()
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
