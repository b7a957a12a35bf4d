package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
)

// apiServer is the port of the API server that user data has a kubelet join at, if it is
// on this machine's loopback; else it is empty, and the container finds the way by itself.
func apiServer(config *guest.CloudConfig) string {
	for _, f := range config.WriteFiles {
		// Nearly no file is a kubeconfig, and those that are none have no clusters.
		kubeconfig, err := clientcmd.Load([]byte(f.Content))
		if err != nil {
			continue
		}
		for _, cluster := range kubeconfig.Clusters {
			at, err := url.Parse(cluster.Server)
			if err == nil && net.ParseIP(at.Hostname()).IsLoopback() && at.Port() != "" {
				return at.Port()
			}
		}
	}
	return ""
}

// relays are the ways from containers to API servers: each container has one to its own,
// and to nothing else that listens on this machine's loopback.
type relays struct {
	log *slog.Logger

	mu sync.Mutex
	// listeners are by server.
	listeners map[string]net.Listener
}

// open serves the socket in a server's folder, unless that is done already.
func (r *relays) open(id, folder, port string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listeners[id] != nil {
		return nil
	}
	l, err := listen(folder)
	if err != nil {
		return fmt.Errorf("the way from the container to its API server: %w", err)
	}
	if r.listeners == nil {
		r.listeners = map[string]net.Listener{}
	}
	r.listeners[id] = l
	go r.serve(l, net.JoinHostPort("127.0.0.1", port))
	return nil
}

// listen makes the socket anew: another process may have left it.
func listen(folder string) (net.Listener, error) {
	if err := os.Remove(filepath.Join(folder, socketFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	// A socket's name has at most 107 characters, and a folder's may have more.
	l, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketFile))
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by that name it is another's by then
	return l, nil
}

func (r *relays) serve(l net.Listener, to string) {
	for {
		from, err := l.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				r.log.Error("a container does not reach its API server any more", "apiServer", to, "error", err)
			}
			return
		}
		go carry(from.(*net.UnixConn), to)
	}
}

// carry copies both ways until both have ended.
func carry(from *net.UnixConn, to string) {
	defer from.Close()
	conn, err := net.Dial("tcp", to)
	if err != nil {
		return // the API server is down: so is the connection
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, from)
		_ = server.CloseWrite()
	}()
	_, _ = io.Copy(from, server)
	_ = from.CloseWrite()
	<-done
}

func (r *relays) close(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.listeners[id]; l != nil {
		_ = l.Close()
		delete(r.listeners, id)
	}
}

func (r *relays) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.listeners {
		_ = l.Close()
	}
	r.listeners = nil
}
