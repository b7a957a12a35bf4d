package etcd

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
)

// etcdBinary is where hack/build.sh puts the etcd that these tests are about.
const etcdBinary = "../../bin/etcd/v3.7.3/etcd"

// runner is a host.Host with no more than these tests need: it runs the members
// of one EtcdCluster exactly as the Component says, and kills them at a word.
type runner struct {
	client client.Reader
	dir    string

	mu        sync.Mutex
	applied   *component.Component
	addresses component.Addresses
	volumes   int
	// ends counts how often a member has ended by itself.
	ends    [component.EtcdReplicas]int
	members [component.EtcdReplicas]*process
	// data identifies what each member has stored.
	data    [component.EtcdReplicas]string
	stopped chan struct{}
	// observed is what Subscribe has seen last.
	observed *component.Status
}

var _ host.Host = (*runner)(nil)

// process is a member that runs, until ended is closed.
type process struct {
	*exec.Cmd
	ended chan struct{}
}

func newRunner(c client.Reader) (*runner, error) {
	if _, err := os.Stat(etcdBinary); err != nil {
		return nil, fmt.Errorf("these tests need etcd: run 'make etcd' (hack/build.sh etcd): %w", err)
	}
	dir, err := os.MkdirTemp("", "marina-etcd-")
	return &runner{client: c, dir: dir, stopped: make(chan struct{})}, err
}

// loopback is an address of this process's own, so that no other test or program takes a
// port between its choice and the start of whoever listens there.
func loopback(last int) string {
	return fmt.Sprintf("127.%d.%d.%d", 1+os.Getpid()%250, 1+os.Getpid()/250%250, last)
}

// Reserve gives each member an address of its own.
func (r *runner) Reserve(_ context.Context, want host.Reservation) (component.Addresses, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.addresses.Replicas); i < want.Replicas; i++ {
		member := map[string]component.HostPort{}
		address := loopback(10 + i)
		for _, port := range want.Ports {
			listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
			if err != nil {
				return component.Addresses{}, err
			}
			defer listener.Close()
			member[port.Name] = component.HostPort{Host: address, Port: listener.Addr().(*net.TCPAddr).Port}
		}
		r.addresses.Replicas = append(r.addresses.Replicas, member)
	}
	return r.addresses, nil
}

func (r *runner) Apply(ctx context.Context, c component.Component) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range c.Mounts {
		secret := &corev1.Secret{}
		if err := r.client.Get(ctx, types.NamespacedName{Namespace: c.Namespace, Name: m.Secret}, secret); err != nil {
			return err
		}
		folder := filepath.Join(r.dir, "files", m.Path)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		for _, key := range m.Keys {
			if err := replaceFile(filepath.Join(folder, key), secret.Data[key]); err != nil {
				return err
			}
		}
	}
	first := r.applied == nil
	r.applied = &c
	if !first {
		return nil
	}
	for i := range r.members {
		if err := r.start(i); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile changes a file at once: etcd may read it at any moment.
func replaceFile(path string, content []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, content) {
		return nil
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Status is what the subscriber has been told last; without one, members are asked
// at once.
func (r *runner) Status(ctx context.Context, _, name string) (component.Status, error) {
	if name != component.EtcdName(cluster) {
		return component.Status{Gone: true}, nil
	}
	r.mu.Lock()
	observed := r.observed
	r.mu.Unlock()
	if observed != nil {
		return *observed, nil
	}
	return r.ask(ctx), nil
}

// ask asks every member.
func (r *runner) ask(ctx context.Context) component.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := component.Status{Replicas: component.EtcdReplicas, Gone: r.applied == nil}
	if status.Gone {
		return status
	}
	r.revive()
	status.Data = slices.Clone(r.data[:])
	var group sync.WaitGroup
	errs := [component.EtcdReplicas]error{}
	for i := range r.members {
		group.Go(func() { errs[i] = r.probe(ctx, i) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			status.Message = err.Error()
			continue
		}
		status.ReadyOrdinals = append(status.ReadyOrdinals, i)
	}
	status.Ready = len(status.ReadyOrdinals)
	status.Updated = status.Ready
	return status
}

// probe asks a member as the Component's readiness says.
func (r *runner) probe(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if !r.applied.Readiness.Plain {
		return errors.New("a kubelet has no certificate to present")
	}
	at := r.addresses.Replicas[i][r.applied.Readiness.Port]
	return get(ctx, nil, fmt.Sprintf("http://%s:%d%s", at.Host, at.Port, r.applied.Readiness.Path))
}

// get succeeds when the answer is 200.
func get(ctx context.Context, config *tls.Config, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", answer.Status)
	}
	return nil
}

func (r *runner) Delete(_ context.Context, _, name string) (bool, error) {
	if name == component.EtcdName(cluster) {
		r.stop()
	}
	return true, nil
}

// Subscribe tells when the number of ready members changes, until the members are
// stopped.
func (r *runner) Subscribe(notify func(namespace, name string)) {
	go func() {
		for was := 0; ; {
			select {
			case <-r.stopped:
				return
			case <-time.After(50 * time.Millisecond):
			}
			status := r.ask(context.Background())
			r.mu.Lock()
			r.observed = &status
			r.mu.Unlock()
			if status.Ready != was {
				was = status.Ready
				notify("marina-system", "etcd-"+cluster)
			}
		}
	}()
}

// stop kills all members and removes what they left.
func (r *runner) stop() {
	for i := range r.members {
		r.Kill(i)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.applied != nil {
		r.applied = nil
		close(r.stopped)
	}
	_ = os.RemoveAll(r.dir)
}

// logs are the last lines of each member's log.
func (r *runner) logs() string {
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(r.dir, "*.log"))
	slices.Sort(files)
	for _, file := range files {
		content, _ := os.ReadFile(file)
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		fmt.Fprintf(&all, "--- %s\n%s\n", filepath.Base(file), strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return all.String()
}
