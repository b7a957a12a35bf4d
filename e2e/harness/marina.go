// Package harness runs "marina up" as a person would, as a process of its own in a
// folder of its own, for the suites and the benchmark.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Binary is a file below bin/, which the Makefile builds.
func Binary(path ...string) (string, error) {
	file := filepath.Join(append([]string{Root(), "bin"}, path...)...)
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("%w: run 'make build etcd kubernetes-1.36 kubernetes-1.37'", err)
	}
	return file, nil
}

// Marina is a running "marina up".
type Marina struct {
	// Dir is its data directory.
	Dir string
	// Config and Client reach the management API.
	Config *rest.Config
	Client client.WithWatch
	// Ready is how long it took from start to serving.
	Ready time.Duration
	// Flags are given to "marina up" besides those of the harness.
	Flags []string

	// port is the first of its portsEach.
	port   int
	binary string
	cmd    *exec.Cmd
	exited chan struct{}
	output *output
}

// New makes a Marina in an empty folder, with free ports; Start starts it, and End
// comes last, also after a Start that failed. Prepare sees to that for a test.
func New(dir string) (*Marina, error) {
	binary, err := Binary("marina")
	if err != nil {
		return nil, err
	}
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	return &Marina{Dir: dir, port: port, binary: binary}, nil
}

// A Marina of the harness has portsEach ports in a row, of which the first managementPorts are
// those of the management plane. They are below those that the kernel gives to outgoing
// connections, which would take one while the process it is for is not there; and not the default
// ones, so that a suite can run beside somebody's own Marina.
const (
	firstPort       = 11000
	portsEach       = 250
	managementPorts = 10
	marinas         = 40
)

// started counts the Marinas of this process.
var started atomic.Int32

// freePorts are not those of another Marina of this process, which may be reserved but unused, nor
// of one of another process that serves.
func freePorts() (int, error) {
	for range marinas {
		port := firstPort + (os.Getpid()*4+int(started.Add(1)))%marinas*portsEach
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("all ports are taken from %d to %d", firstPort, firstPort+marinas*portsEach-1)
}

// Begin starts "marina up" and does not wait for it.
func (m *Marina) Begin() error {
	m.output = &output{}
	cmd := exec.Command(m.binary, append([]string{"up", "--data-dir", m.Dir, "--port", fmt.Sprint(m.port),
		"--port-range", fmt.Sprintf("%d-%d", m.port+managementPorts, m.port+portsEach-1)}, m.Flags...)...)
	cmd.Stdout, cmd.Stderr = m.output, m.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	m.cmd, m.exited = cmd, exited
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	return nil
}

// Start starts "marina up" and waits until clusters can be created.
func (m *Marina) Start(ctx context.Context) error {
	began := time.Now()
	if err := m.Begin(); err != nil {
		return err
	}
	// Longer than "marina up" itself takes for an end.
	err := Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		select {
		case <-m.exited:
			return Fatal(fmt.Errorf("marina up exited: %s", m.Output()))
		default:
		}
		// An API server that has lived on answers before Marina has begun its work.
		if !strings.Contains(m.Output(), "Marina is ready") {
			return errors.New("it has not said that it is ready")
		}
		return m.connect(ctx)
	})
	m.Ready = time.Since(began)
	if err != nil {
		return fmt.Errorf("starting marina up: %w\n%s", err, m.Output())
	}
	return nil
}

// connect succeeds once the defaults exist that "marina up" creates last.
func (m *Marina) connect(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", m.Kubeconfig())
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	if m.Client, err = client.NewWithWatch(config, client.Options{Scheme: scheme.Scheme}); err != nil {
		return err
	}
	m.Config = config
	if err := m.Client.Get(ctx, types.NamespacedName{Name: "default"}, &v1alpha1.HostingClass{}); err != nil {
		return err
	}
	return nil
}

func init() {
	// The suites print what matters themselves.
	log.SetLogger(logr.Discard())
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		panic(err)
	}
}

// Kubeconfig is the file with which the platform's administrator gets in.
func (m *Marina) Kubeconfig() string { return filepath.Join(m.Dir, "kubeconfig") }

// Output is what "marina up" has printed since Start.
func (m *Marina) Output() string { return m.output.String() }

// output is a buffer that may be read while a process writes to it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// PID of "marina up".
func (m *Marina) PID() int { return m.cmd.Process.Pid }

// Kill sends SIGKILL and waits for the end: tenants live on.
func (m *Marina) Kill() error {
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-m.exited
	return nil
}

// Signal sends a signal and does not wait for what it does.
func (m *Marina) Signal(s syscall.Signal) error { return m.cmd.Process.Signal(s) }

// ExitCode waits for the end of "marina up" and returns how it exited.
func (m *Marina) ExitCode(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	select {
	case <-m.exited:
		return m.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("marina up still runs: %w: %s", ctx.Err(), m.Output())
	}
}

// Stop sends SIGTERM and waits until "marina up" has stopped everything.
func (m *Marina) Stop() error {
	if m.runs() {
		if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	select {
	case <-m.exited:
	case <-time.After(2 * time.Minute):
		return errors.New("marina up has not stopped two minutes after SIGTERM")
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("marina up exited with status %d: %s", code, m.Output())
	}
	return nil
}

// CLI runs a command of the marina binary against this management plane.
func (m *Marina) CLI(ctx context.Context, args ...string) (stdout string, err error) {
	cmd := exec.CommandContext(ctx, m.binary, args...)
	cmd.Env = append(os.Environ(), "MARINA_KUBECONFIG="+m.Kubeconfig(), "MARINA_DATA_DIR="+m.Dir)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("marina %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

// Tenant returns a configuration for a tenant's API, issued by the CLI.
func (m *Marina) Tenant(ctx context.Context, name string, args ...string) (*rest.Config, error) {
	data, err := m.CLI(ctx, append([]string{"kubeconfig", "get", name, "-o", "-"}, args...)...)
	if err != nil {
		return nil, err
	}
	return clientcmd.RESTConfigFromKubeConfig([]byte(data))
}
