//go:build kind

package kind

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// dialIn connects as a process of a container would, of a node or a worker: pods have
// addresses that only these know the way to.
func dialIn(ctx context.Context, container, address string) (net.Conn, error) {
	pid, err := execute(ctx, "docker", "inspect", "-f", "{{.State.Pid}}", container)
	if err != nil {
		return nil, err
	}
	there, err := os.Open("/proc/" + strings.TrimSpace(pid) + "/ns/net")
	if err != nil {
		return nil, err
	}
	defer there.Close()
	type dialled struct {
		net.Conn
		err error
	}
	done := make(chan dialled, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, so that nobody else finds
		// himself there.
		runtime.LockOSThread()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- dialled{err: fmt.Errorf("entering the network of %s, which takes root: %w", container, err)}
			return
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		done <- dialled{conn, err}
	}()
	d := <-done
	return d.Conn, d.err
}

// etcdAs connects to the shared etcd with the certificate in a Secret, from a node of the
// management cluster.
func etcdAs(t *testing.T, namespace, secret string) *clientv3.Client {
	t.Helper()
	return harness.EtcdThrough(t, management.client, namespace, secret,
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			name, _, _ := strings.Cut(host, ".")
			pod := &corev1.Pod{}
			if err := management.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: name}, pod); err != nil {
				return nil, err
			}
			return dialIn(ctx, pod.Spec.NodeName, net.JoinHostPort(pod.Status.PodIP, port))
		}))
}
