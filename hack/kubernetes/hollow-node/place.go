package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"k8s.io/client-go/tools/clientcmd"
)

// longestRoot is the longest root directory in which the kubelet's sockets fit:
// a socket's path has at most 107 bytes, and its own are up to 27 bytes longer.
const longestRoot = 80

// place is where on this machine the node lives.
type place struct {
	root     string // root directory, at most longestRoot bytes
	address  string // address to listen on; empty leaves it to the configuration
	port     int
	clientCA string // file with the CA of who may call the kubelet; may be empty
}

func (p place) runtimeSocket() string { return filepath.Join(p.root, "runtime.sock") }

func findPlace(o options) (place, error) {
	var p place
	var err error
	if p.root, err = shortPath(o.rootDir); err != nil {
		return p, err
	}
	p.address = bindAddress(o.nodeIP)
	p.port = o.port
	if p.port == 0 {
		if p.port, err = freePort(p.address); err != nil {
			return p, err
		}
	}
	p.clientCA, err = writeClientCA(o)
	return p, err
}

// shortPath is dir, or when that is too long for sockets in it, a short name of
// the same directory that is good as long as this process lives.
func shortPath(dir string) (string, error) {
	if len(dir) <= longestRoot {
		return dir, nil
	}
	// Not an os.File: its finalizer would close it.
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", dir, err)
	}
	return "/proc/self/fd/" + strconv.Itoa(fd), nil
}

// bindAddress is where a node of this IP can listen: at that address if this
// machine has it (all of 127.0.0.0/8 on Linux, so nodes may share a port), else
// at the loopback.
func bindAddress(nodeIP string) string {
	if nodeIP == "" {
		return ""
	}
	if listener, err := net.Listen("tcp", net.JoinHostPort(nodeIP, "0")); err == nil {
		_ = listener.Close()
		return nodeIP
	}
	return "127.0.0.1"
}

// freePort asks for a port. The kubelet cannot take over a listener, so another
// process may get it in between; then the kubelet ends and is restarted.
func freePort(address string) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// writeClientCA copies the cluster's CA out of the kubeconfig that joins, or on
// a later start the one that the bootstrap wrote.
func writeClientCA(o options) (string, error) {
	for _, path := range []string{o.bootstrapKubeconfig, o.kubeconfig} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); os.IsNotExist(err) {
			continue
		}
		config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, nil).ClientConfig()
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		ca := config.CAData
		if len(ca) == 0 && config.CAFile != "" {
			if ca, err = os.ReadFile(config.CAFile); err != nil {
				return "", err
			}
		}
		if len(ca) == 0 {
			return "", nil
		}
		file := filepath.Join(o.rootDir, "pki", "ca.crt")
		return file, os.WriteFile(file, ca, 0o600)
	}
	return "", fmt.Errorf("neither --bootstrap-kubeconfig nor --kubeconfig (%s) exists", o.kubeconfig)
}

// maxOpenFiles is what this process may open anyway: the kubelet sets its limit
// to a million by default, which needs root.
func maxOpenFiles() int64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int64(min(limit.Max, 1_000_000))
}
