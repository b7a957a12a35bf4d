package etcd

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/etcd/snapshot"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// hostsSnapshots is a host that runs members and, in this process, what takes snapshots
// of them.
type hostsSnapshots struct {
	*runner
	t   testing.TB
	dir string

	mu      sync.Mutex
	address component.HostPort
	applied component.Component
	end     func()
	// message is what the host says of it.
	message string
}

func (h *hostsSnapshots) is(name string) bool { return name == component.EtcdSnapshotName(cluster) }

func (h *hostsSnapshots) Reserve(ctx context.Context, r host.Reservation) (component.Addresses, error) {
	if !h.is(r.Name) {
		return h.runner.Reserve(ctx, r)
	}
	return component.Addresses{Replicas: []map[string]component.HostPort{{component.EtcdSnapshotPort: h.address}}}, nil
}

func (h *hostsSnapshots) Apply(ctx context.Context, c component.Component) error {
	if !h.is(c.Name) {
		return h.runner.Apply(ctx, c)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	replaced := !slices.Equal(h.applied.Main.Args, c.Main.Args)
	h.applied = c
	if h.end != nil && (c.Replicas == 0 || replaced) {
		h.end()
		h.end = nil
	}
	if h.end != nil || c.Replicas == 0 {
		return nil
	}
	files := h.t.TempDir()
	secret := &corev1.Secret{}
	if err := h.client.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: c.Mounts[0].Secret}, secret); err != nil {
		return err
	}
	for key, content := range secret.Data {
		if err := os.WriteFile(filepath.Join(files, key), content, 0o600); err != nil {
			return err
		}
	}
	replace := strings.NewReplacer("$(FILES)/root", files, "$(DATA)", h.dir, "$(ADDRESS):$(PORT_http)", h.address.String())
	var args []string
	for _, arg := range c.Main.Args[2:] {
		args = append(args, replace.Replace(arg))
	}
	o, flags := snapshot.Options{Log: logr.Discard()}, pflag.NewFlagSet("snapshot", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	// Ended with the test, and not with the pass that began it.
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- snapshot.Run(ctx, o) }()
	h.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("taking a snapshot: %v", err)
		}
	})
	h.t.Cleanup(h.end)
	return nil
}

func (h *hostsSnapshots) Status(ctx context.Context, namespace, name string) (component.Status, error) {
	if !h.is(name) {
		return h.runner.Status(ctx, namespace, name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return component.Status{Replicas: h.applied.Replicas, Message: h.message, Gone: h.applied.Name == ""}, nil
}

// withSnapshots lets a world take snapshots, into the folder that is returned.
func (w *world) withSnapshots(t testing.TB) *hostsSnapshots {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback(9), "0"))
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	h := &hostsSnapshots{runner: w.runner, t: t, dir: t.TempDir(), address: component.HostPort{Host: at.IP.String(), Port: at.Port}}
	w.reconciler.Host = h
	return h
}

// setVersion changes what the spec asks for, as a user does.
func (w *world) setVersion(t testing.TB, version string, generation int64) {
	t.Helper()
	c := w.cluster()
	c.Spec.Version, c.Generation = version, generation
	if err := w.api.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// TestAMinorVersionWaitsForASnapshot: the members are not told of another minor version
// before there is a snapshot that leads back, and the tenants' data is in it: all three
// members lose their data and get it back as docs/how-to/operate-etcd.md describes.
func TestAMinorVersionWaitsForASnapshot(t *testing.T) {
	w := ownWorld(t)
	tenant := w.addTenant(t, "kept")
	own := w.open(t, w.tenantPair(t, tenant))
	if _, err := own.Put(soon(t), "/kept/key", "before"); err != nil {
		t.Fatal(err)
	}
	w.until(t, whole)
	h := w.withSnapshots(t)

	// A folder that is none: nothing can be written there.
	good := h.dir
	h.dir = filepath.Join(good, "missing")
	w.setVersion(t, "3.8.0", 2)
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "UpToDate", "False", "SnapshotMissing", "from etcd 3.7.3 to 3.8.0 when a snapshot has been taken and checked: open "+h.dir)
	})
	if c := w.cluster(); c.Status.Version != "3.7.3" || c.Status.Snapshot != nil {
		t.Fatalf("told to run %s, snapshot %v: want it held", c.Status.Version, c.Status.Snapshot)
	}

	t.Log("the user sets it back, and once more forth when there is room")
	w.setVersion(t, "3.7.3", 3)
	w.until(t, func(*v1alpha1.EtcdCluster) error {
		if h.applied.Replicas != 0 {
			return fmt.Errorf("%d replicas", h.applied.Replicas)
		}
		return nil
	})
	h.dir = good
	w.setVersion(t, "3.8.0", 4)
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		if c.Status.Version != "3.8.0" || h.applied.Replicas != 0 {
			return fmt.Errorf("told to run %s, %d replicas take snapshots", c.Status.Version, h.applied.Replicas)
		}
		return nil
	})
	files, err := filepath.Glob(filepath.Join(h.dir, "3.7.3-to-3.8.0-*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v: want the snapshot", files, err)
	}
	path := files[0]
	info, err := snapshot.Check(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.cluster().Status.Snapshot; got == nil || got.Name+".db" != filepath.Base(path) || got.Version != "3.7.3" ||
		got.SHA256 != info.SHA256 || got.Revision != info.Revision || got.Revision < 2 || got.Size != info.Size {
		t.Errorf("status tells of %+v, and the file is %+v", got, info)
	}
	if events := strings.Join(told(w.events), "\n"); !strings.Contains(events, "SnapshotTaken before the members go from etcd 3.7.3 to 3.8.0") {
		t.Errorf("Events %q, want that of the snapshot", events)
	}

	if _, err := own.Put(soon(t), "/kept/key", "after"); err != nil {
		t.Fatal(err)
	}
	revision := info.Revision
	w.restore(t, path)
	w.setVersion(t, "3.7.3", 5)
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		if err := whole(c); err != nil {
			return err
		}
		return want(c.Status.Conditions, "UpToDate", "True", "AsExpected", "")
	})
	// The tenant's certificate, user and role are those of before.
	got, err := own.Get(soon(t), "/kept/key")
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "before" {
		t.Fatalf("%v, %v: want the key as it was when the snapshot was taken", got, err)
	}
	if got.Header.Revision < revision+1_000_000_000 {
		t.Errorf("revision %d: who has seen a later one would take other things for the same", got.Header.Revision)
	}
	if _, err := own.Put(soon(t), "/other/key", "x"); err == nil {
		t.Error("the tenant may write beyond its prefix")
	}
}

// restore stops all members and gives them the data of a snapshot.
func (w *world) restore(t testing.TB, path string) {
	t.Helper()
	var members []string
	for i := range component.EtcdReplicas {
		members = append(members, component.EtcdMember(cluster, i)+"="+component.EtcdPeerURL(w.runner.addresses, i))
		w.runner.Kill(i)
	}
	for i := range component.EtcdReplicas {
		r := snapshot.Restoring{Dir: w.runner.folder(i), PutAside: true, Member: component.EtcdMember(cluster, i), Members: members, Token: "restored"}
		if _, err := r.From(path); err != nil {
			t.Fatal(err)
		}
	}
	for i := range component.EtcdReplicas {
		if err := w.runner.Start(i); err != nil {
			t.Fatal(err)
		}
	}
}

// TestASnapshotIsOfNow: what lies there from another time is not what a change of version
// can be taken back with, nor one that was taken when the change could not begin yet.
func TestASnapshotIsOfNow(t *testing.T) {
	w := ownWorld(t)
	w.until(t, whole)
	h := w.withSnapshots(t)
	config, err := w.anew(t).connection.tls()
	if err != nil {
		t.Fatal(err)
	}
	members := clientv3.Config{Endpoints: w.cluster().Status.Endpoints, TLS: config}
	old, err := (&snapshot.Taking{Dir: h.dir, Name: "3.7.3-to-3.8.0-2", Keep: 9}).Take(t.Context(), members)
	if err != nil {
		t.Fatal(err)
	}
	root := w.root(t)
	if _, err := root.Put(soon(t), "/later/key", "x"); err != nil {
		t.Fatal(err)
	}

	w.reconciler.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	w.setVersion(t, "3.8.0", 2)
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "UpToDate", "False", "SnapshotMissing", "h0m0s ago: another one is taken")
	})
	if c := w.cluster(); c.Status.Version != "3.7.3" || c.Status.Snapshot != nil {
		t.Errorf("told to run %s, snapshot %v: want it held", c.Status.Version, c.Status.Snapshot)
	}
	w.reconciler.Now = nil
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		if c.Status.Version != "3.8.0" {
			return fmt.Errorf("told to run %s", c.Status.Version)
		}
		return nil
	})
	if got := w.cluster().Status.Snapshot; got == nil || got.Revision <= old.Revision {
		t.Errorf("%+v is taken for good, want one after revision %d", got, old.Revision)
	}
}
