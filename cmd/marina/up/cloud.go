package up

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/simulator"
	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/controlplane/host/local"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// Clouds that clusters may have nodes in.
const (
	// CloudSimulator is the OpenStack simulator, which boots hollow nodes or containers.
	CloudSimulator = "simulator"
	// CloudNone is none but those that somebody tells of with an Infrastructure.
	CloudNone = "none"
)

// nameCloud is the name of the simulator's Component, and of the Secret with its accounts.
const nameCloud = "openstack-simulator"

// portAPI is the simulator's one port.
const portAPI = "api"

// cloudStart limits how long the simulator takes to serve. It takes a quarter of a second.
const cloudStart = 30 * time.Second

// cloud runs the simulator, and makes it known to clusters.
type cloud struct {
	options    Options
	containers simulator.Containers
	host       *local.Host
	api        client.Client
	// authURL is where it is; empty if there is none.
	authURL string
}

// start starts the simulator, or adopts the one that runs, and returns when nodes can be
// asked for. Without it, one of an earlier start is stopped, and its cloud kept.
//
//  1. its address and its passwords, which stay
//  2. the process
//  3. its credentials and the Infrastructure, which are set anew at every start
func (c *cloud) start(ctx context.Context) error {
	if c.options.Cloud != CloudSimulator {
		return c.leaveOut(ctx)
	}
	err := c.run(ctx)
	if err != nil && ctx.Err() == nil {
		return failure.New("see the logs in "+filepath.Join(dataDir(c.options.DataDir).tenants(), v1alpha1.SystemNamespace, nameCloud)+
			", or start with --cloud none", "the simulated cloud does not start: %v", err)
	}
	return err
}

func (c *cloud) run(ctx context.Context) error {
	kubernetes, err := c.images(ctx)
	if err != nil {
		return err
	}
	addresses, err := c.host.Reserve(ctx, host.Reservation{Namespace: v1alpha1.SystemNamespace, Name: nameCloud, Replicas: 1, Ports: cloudPorts})
	if err != nil {
		return err
	}
	c.authURL = cloudAuthURL(addresses.Replicas[0][portAPI])
	accounts, err := c.accounts(ctx)
	if err != nil {
		return err
	}
	if err := c.apply(ctx, cloudComponent(c.options, c.containers, accounts, slices.Sorted(maps.Values(kubernetes)))); err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	objects := []client.Object{cloudCredentials("default", CloudSimulator, c.authURL, accountTenant, accounts[accountTenant])}
	if len(kubernetes) > 0 {
		objects = append(objects, cloudInfrastructure(c.authURL, kubernetes))
	} else {
		c.options.Log.Warn("There is neither a hollow-node nor a --node-image for any release: the simulated cloud has no image, and is not offered", "binDir", c.options.BinDir)
	}
	for _, object := range objects {
		// A namespace or a kind may be too new to an API server that has only started.
		if err := untilServed(ctx, func(ctx context.Context) error { return reconcile.Apply(ctx, c.api, object) }); err != nil {
			return err
		}
	}
	return nil
}

// images are the versions of Kubernetes, by release, that nodes can be made of here.
func (c *cloud) images(ctx context.Context) (map[string]string, error) {
	releases := &v1alpha1.KubernetesReleaseList{}
	if err := c.api.List(ctx, releases); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for i := range releases.Items {
		v, err := release.Parse(releases.Items[i].Name)
		if err != nil {
			return nil, err
		}
		kubernetes := v.Kubernetes()
		_, there := c.containers.Images[kubernetes]
		if len(c.containers.Images) == 0 {
			there = hasPrograms(filepath.Join(c.options.BinDir, "kubernetes", kubernetes), []string{"hollow-node"})
		}
		if there {
			found[releases.Items[i].Name] = kubernetes
		}
	}
	return found, nil
}

// accounts are the passwords by project. They are made once, and the simulator takes them
// as they are: its cloud may be lost, and the credentials that people have copied stay.
func (c *cloud) accounts(ctx context.Context) (map[string]string, error) {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: nameCloud}
	if err := c.api.Get(ctx, key, secret); err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	accounts := map[string]string{}
	for _, name := range []string{accountOperator, accountTenant} {
		if accounts[name] = string(secret.Data[name]); accounts[name] == "" {
			accounts[name] = rand.Text()
		}
	}
	wanted := cloudCredentials(key.Namespace, key.Name, c.authURL, accountOperator, accounts[accountOperator])
	for name, password := range accounts {
		wanted.Data[name] = []byte(password)
	}
	return accounts, untilServed(ctx, func(ctx context.Context) error { return reconcile.Apply(ctx, c.api, wanted) })
}

// apply waits for the Secret to be in the cache, too.
func (c *cloud) apply(ctx context.Context, wanted component.Component) error {
	return wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, cloudStart, true, func(ctx context.Context) (bool, error) {
		err := c.host.Apply(ctx, wanted)
		if e := reconcile.As(err); e != nil && e.Kind == reconcile.KindWait {
			return false, nil
		}
		return err == nil, err
	})
}

func (c *cloud) ready(ctx context.Context) error {
	var status component.Status
	err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, cloudStart, true, func(ctx context.Context) (done bool, err error) {
		status, err = c.host.Status(ctx, v1alpha1.SystemNamespace, nameCloud)
		return status.Done(), err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("it is not ready after %s: %s", cloudStart, status.Message)
	}
	return err
}

// leaveOut stops a simulator that was started before, with its nodes.
func (c *cloud) leaveOut(ctx context.Context) error {
	name := types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: nameCloud}
	if !slices.Contains(c.host.Orphans(), name) {
		return nil
	}
	c.options.Log.Info("The simulated cloud is left out: its servers are switched off, until it is there again", "cloud", c.options.Cloud)
	return c.host.Apply(ctx, component.Component{Namespace: name.Namespace, Name: name.Name, Main: component.Process{Name: "simulator", Program: "marina"}})
}

var cloudPorts = []component.Port{{Name: portAPI}}

// escape makes a path mean itself in a process's arguments, and no variable.
func escape(path string) string { return strings.ReplaceAll(path, "$", "$$") }

// cloudAuthURL is where Keystone is. Nobody listens in on the loopback but root.
func cloudAuthURL(at component.HostPort) string { return "http://" + at.String() + "/identity/v3" }

// cloudComponent is the process of the simulator.
func cloudComponent(o Options, containers simulator.Containers, accounts map[string]string, kubernetes []string) component.Component {
	args := simulator.Options{
		Listen:  net.JoinHostPort(component.VarAddress, component.VarPort(portAPI)),
		DataDir: escape(dataDir(o.DataDir).cloud()), BinDir: escape(o.BinDir),
		Accounts: filepath.Join(component.VarFiles, "accounts"), Kubernetes: slices.Compact(kubernetes), Containers: containers,
	}.Args()
	names := []string{accountOperator, accountTenant}
	return component.Component{
		Namespace: v1alpha1.SystemNamespace, Name: nameCloud, Replicas: 1, Ports: cloudPorts,
		Main:      component.Process{Name: "simulator", Program: "marina", Args: args, Env: map[string]string{"GOMAXPROCS": "2"}},
		Mounts:    []component.Mount{{Path: "accounts", Secret: nameCloud, Keys: names, Hash: hash([]byte(accounts[names[0]] + "\n" + accounts[names[1]]))}},
		Readiness: component.Probe{Port: portAPI, Path: "/identity/v3", Plain: true},
		// More than it takes to switch off its servers.
		Grace: 30 * time.Second,
	}
}
