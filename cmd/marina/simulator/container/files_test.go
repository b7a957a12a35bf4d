package container

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
)

func TestArguments(t *testing.T) {
	got := strings.Join(arguments(server(t), "node:v1.37.1", "kind", "/data/containers", "/data/containers/"+id), " ")
	const want = "--name marina-" + id + " --hostname shop-pool-x2k4m --label marina-simulator=/data/containers --label marina-server=" + id +
		" --network kind --privileged --cgroupns private --security-opt seccomp=unconfined --security-opt apparmor=unconfined --memory 4096m" +
		" --tmpfs /tmp --tmpfs /run --volume /lib/modules:/lib/modules:ro" +
		" --mount type=volume,dst=/var/lib/containerd --mount type=volume,dst=/var/lib/kubelet" +
		" --mount type=bind,src=/data/containers/" + id + ",dst=/var/lib/marina-simulator node:v1.37.1"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
}

// Everything of user data is done as cloud-init does it.
func TestCommandsRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	config := &guest.CloudConfig{RunCmd: []any{
		[]any{"sh", "-c", "echo \"$1\" >>" + out, "sh", "it's $HOME"},
		"false",
		"echo text >>" + out,
		[]any{"sh", "-c", "echo " + "$0" + " >>" + out, float64(7)},
	}}
	// After what it notes on the server's disk.
	_, commands, _ := strings.Cut(script(config.RunCmd), "touch "+finished+"\n")
	if text, err := exec.Command("sh", "-c", commands).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	got, err := os.ReadFile(out)
	check(t, err)
	if diff := cmp.Diff("it's $HOME\ntext\n7\n", string(got)); diff != "" {
		t.Error("(-want +got)", diff)
	}
}

func TestAPIServer(t *testing.T) {
	for at, want := range map[string]string{
		"https://127.0.0.1:21007":  "21007",
		"https://203.0.113.7:6443": "",
		"https://shop.example.com": "",
	} {
		config, err := guest.Parse(rendered(t, at))
		check(t, err)
		got := apiServer(config)
		if got != want {
			t.Errorf("for %s the port is %q, want %q", at, got, want)
		}
		has := false
		for _, f := range files(id, config, got) {
			has = has || strings.HasSuffix(f.path, "/api.socket")
		}
		if has != (want != "") {
			t.Errorf("for %s the server has a way to this machine: %t", at, has)
		}
	}
}
