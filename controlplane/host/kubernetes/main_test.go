package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/pkg/apitest"
)

// config leads to a management cluster: a real API server and the controllers that make
// pods of workloads and clean up after them. The tests play kubelet and load balancer.
var config *rest.Config

// controllers are those of the workloads.
var controllers *exec.Cmd

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	stop, err := startCluster()
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: stopping:", err)
		code = 1
	}
	os.Exit(code)
}

func startCluster() (stop func() error, err error) {
	stop = func() error { return nil }
	env, err := apitest.Environment(apitest.Newest)
	if err != nil {
		return stop, err
	}
	stop = env.Stop
	if config, err = env.Start(); err != nil {
		return stop, err
	}
	config.QPS, config.Burst = -1, -1

	kubeconfig := filepath.Join(os.TempDir(), fmt.Sprintf("marina-host-test-%d.kubeconfig", os.Getpid()))
	if err := os.WriteFile(kubeconfig, env.KubeConfig, 0o600); err != nil {
		return stop, err
	}
	controllers = exec.Command(filepath.Join(apitest.Folder(env), "kube-controller-manager"),
		"--kubeconfig="+kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--controllers=deployment-controller,replicaset-controller,statefulset-controller,garbage-collector-controller,persistentvolumeclaim-protection-controller")
	controllers.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := controllers.Start(); err != nil {
		return stop, err
	}
	return func() error {
		killed := controllers.Process.Kill()
		_ = controllers.Wait()
		return errors.Join(killed, os.Remove(kubeconfig), env.Stop())
	}, nil
}
