package hollow

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/controlplane/host/local"
	"github.com/marina-dev/marina/dataplane/userdata"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/pkg/kubeconfig"
)

// id is of a server.
const id = "6f1c2d6e-7a55-4a35-9d0d-3f3f5b8c0001"

// rendered is the user data of a real node.
func rendered(t *testing.T) []byte {
	t.Helper()
	bootstrap, err := kubeconfig.Encode(&clientcmdapi.Config{
		CurrentContext: "node",
		Contexts:       map[string]*clientcmdapi.Context{"node": {Cluster: "shop", AuthInfo: "token"}},
		Clusters:       map[string]*clientcmdapi.Cluster{"shop": {Server: "https://127.0.0.1:6443", CertificateAuthorityData: []byte("CA")}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"token": {Token: "abcdef.0123456789abcdef"}},
	})
	check(t, err)
	data, err := userdata.Render(userdata.Node{
		Name: "shop-pool-x2k4m", BootstrapKubeconfig: bootstrap,
		KubeletConfiguration: []byte("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"),
		Capacity:             userdata.Capacity{CPUs: 2, MemoryMiB: 8192, DiskGiB: 50},
		Labels:               map[string]string{"tier": "web", "node.kubernetes.io/pool": "pool"},
		Taints:               []corev1.Taint{{Key: "env", Value: "demo", Effect: corev1.TaintEffectNoSchedule}},
	})
	check(t, err)
	return data
}

func server(t *testing.T) nova.Instance {
	t.Helper()
	return nova.Instance{
		ID: id, Name: "shop-pool-x2k4m", UserData: rendered(t), VCPUs: 2, RAMMiB: 8192, DiskGiB: 50,
		Image: map[string]string{"name": "node", guest.PropertyKubernetes: "v1.37.1"},
	}
}

// compressed is user data as it is sent.
func compressed(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return out.Bytes()
}

// place is where drivers of a test work, with a program in place of the hollow node that
// prints its arguments, tells them, and stays.
type place struct {
	dir, bin string
	told     *os.File
	lines    *bufio.Scanner
	// starts are those of each server that have been told and not been asked for.
	starts map[string]int
}

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{dir: t.TempDir(), bin: t.TempDir(), starts: map[string]int{}}
	pipe := filepath.Join(p.bin, "told")
	// It stays by reading what nobody writes. Another program in its place, such as sleep,
	// would be without arguments and environment for a moment, by which it is known.
	never := filepath.Join(p.bin, "never")
	for _, name := range []string{pipe, never} {
		check(t, syscall.Mkfifo(name, 0o600))
	}
	var err error
	// Open for both, a pipe that nobody writes to has no end.
	p.told, err = os.OpenFile(pipe, os.O_RDWR, 0)
	check(t, err)
	t.Cleanup(func() { check(t, p.told.Close()) })
	p.lines = bufio.NewScanner(p.told)
	stub := filepath.Join(p.bin, "kubernetes", "v1.37.1", program)
	check(t, os.MkdirAll(filepath.Dir(stub), 0o755))
	check(t, os.WriteFile(stub, []byte("#!/bin/sh\necho \"$@\"\necho \"$@\" >'"+pipe+"'\nread -r _ <'"+never+"'\n"), 0o755))
	return p
}

// driver starts one. Nothing of it outlives the test.
func (p place) driver(t *testing.T) *Driver {
	t.Helper()
	d, err := New(Options{Dir: p.dir, BinDir: p.bin, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() { check(t, d.Shutdown(context.Background())) })
	return d
}

// pid is that of a server's process; 0 is none.
func (p place) pid(t *testing.T, id string) int {
	t.Helper()
	running, err := local.Running(filepath.Join(p.dir, "processes"))
	check(t, err)
	return running["servers/"+id+"/0/"+program]
}

// started waits until a server's process has started and has printed its arguments.
func (p place) started(t *testing.T, id string) int {
	t.Helper()
	check(t, p.told.SetReadDeadline(time.Now().Add(30*time.Second)))
	for p.starts[id] == 0 {
		if !p.lines.Scan() {
			t.Fatalf("no process of server %s has started: %v", id, p.lines.Err())
		}
		for _, arg := range strings.Fields(p.lines.Text()) {
			if of, ok := strings.CutPrefix(arg, "--provider-id=openstack:///"); ok {
				p.starts[of]++
			}
		}
	}
	p.starts[id]--
	return p.pid(t, id)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
