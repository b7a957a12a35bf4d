package hollow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
)

func TestTheLifeOfAServer(t *testing.T) {
	p, s := newPlace(t), server(t)
	d := p.driver(t)
	check(t, d.Boot(t.Context(), s))
	first := p.started(t, id)
	if console := d.Console(id); !strings.Contains(console, "--provider-id=openstack:///"+id) {
		t.Errorf("its console does not show what its kubelet was given:\n%s", console)
	}
	address, err := os.ReadFile(filepath.Join(p.dir, "servers", id, "address"))
	check(t, err)

	check(t, d.Boot(t.Context(), s))
	if got := p.pid(t, id); got != first {
		t.Errorf("a server that runs was started again: %d, and it was %d", got, first)
	}
	check(t, d.Reboot(t.Context(), id, true))
	second := p.started(t, id)
	if second == 0 || second == first {
		t.Error("a reboot has left the process")
	}
	check(t, d.Stop(t.Context(), id))
	if got := p.pid(t, id); got != 0 {
		t.Errorf("the process %d is left of a server that is off", got)
	}

	// What is on the disk by now is the kubelet's: user data is for the first boot.
	kept := filepath.Join(p.dir, "servers", id, "disk", "etc", "kubernetes", "kubelet.conf")
	check(t, os.WriteFile(kept, []byte("mine"), 0o600))
	check(t, os.Remove(filepath.Join(filepath.Dir(kept), "bootstrap.kubeconfig")))
	check(t, d.Boot(t.Context(), s))
	p.started(t, id)
	if _, err := os.Stat(filepath.Join(filepath.Dir(kept), "bootstrap.kubeconfig")); err == nil {
		t.Error("cloud-init has run again")
	}
	if now, err := os.ReadFile(filepath.Join(p.dir, "servers", id, "address")); err != nil || string(now) != string(address) {
		t.Errorf("its address is %q (%v), and was %q", now, err, address)
	}

	check(t, d.Destroy(t.Context(), id))
	if got := p.pid(t, id); got != 0 {
		t.Errorf("the process %d is left of a server that is gone", got)
	}
	left, err := filepath.Glob(filepath.Join(p.dir, "*", "*"+id[:8]+"*"))
	check(t, err)
	left2, err := filepath.Glob(filepath.Join(p.dir, "processes", "servers", "*"))
	check(t, err)
	if len(left)+len(left2) > 0 {
		t.Errorf("files are left of a server that is gone: %v %v", left, left2)
	}
	check(t, d.Destroy(t.Context(), "never-booted"))
}

func TestServersLiveOnWithoutTheirDriver(t *testing.T) {
	p, s := newPlace(t), server(t)
	other := server(t)
	other.ID = strings.Replace(id, "0001", "0002", 1)
	d := p.driver(t)
	check(t, d.Boot(t.Context(), s))
	check(t, d.Boot(t.Context(), other))
	before := p.started(t, id)
	p.started(t, other.ID)
	check(t, d.Leave())

	next := p.driver(t)
	check(t, next.Keep(t.Context(), []string{id}))
	check(t, next.Boot(t.Context(), s))
	if got := p.pid(t, id); got != before {
		t.Errorf("it runs as %d, and ran as %d: it was not adopted", got, before)
	}
	if got := p.pid(t, other.ID); got != 0 {
		t.Errorf("a server that the cloud does not know still runs, as %d", got)
	}
	check(t, next.Shutdown(t.Context()))
	if got := p.pid(t, id); got != 0 {
		t.Errorf("it still runs after the shutdown, as %d", got)
	}
}

// A server of which the kubelet is not built here cannot be made, and its owner is told.
func TestAKubeletThatIsNotThere(t *testing.T) {
	p, s := newPlace(t), server(t)
	s.Image[guest.PropertyKubernetes] = "v1.36.4"
	err := p.driver(t).Boot(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), "make kubernetes-1.36") {
		t.Errorf("got %v, want words about what to build", err)
	}
}

func TestServersThatBootAndNeverJoin(t *testing.T) {
	const join = "  - path: /join\n    permissions: \"0755\"\n    content: |\n      "
	enabled := "#cloud-config\nruncmd: [[/join]]\nwrite_files:\n" + join + "systemctl enable kubelet\n"
	unit := func(text string) []byte {
		return compressed(enabled + "  - path: /etc/systemd/system/kubelet.service.d/20.conf\n    content: |\n      " + text + "\n")
	}
	for name, test := range map[string]struct {
		userData []byte
		image    string
		want     string
	}{
		"no user data":                    {nil, "v1.37.1", "cloud-init: there is no user data"},
		"not a cloud-config":              {[]byte("#!/bin/sh\nrm -rf /\n"), "v1.37.1", "is no cloud-config"},
		"half of it":                      {rendered(t)[:100], "v1.37.1", "cannot be decompressed"},
		"no YAML":                         {compressed("#cloud-config\n{"), "v1.37.1", "cloud-config cannot be read"},
		"a file without a path":           {compressed("#cloud-config\nwrite_files: [{content: x}]\n"), "v1.37.1", "a file has no path"},
		"an encoding":                     {compressed("#cloud-config\nwrite_files: [{path: /x, encoding: b64}]\n"), "v1.37.1", `encoding "b64"`},
		"permissions":                     {compressed("#cloud-config\nwrite_files: [{path: /x, permissions: rwx}]\n"), "v1.37.1", `permissions "rwx"`},
		"nothing to run":                  {compressed("#cloud-config\nwrite_files: [{path: /x}]\n"), "v1.37.1", "nothing starts a kubelet"},
		"a script that is not there":      {compressed("#cloud-config\nruncmd: [[/join]]\n"), "v1.37.1", "/join: not found"},
		"a script that is not executable": {compressed("#cloud-config\nruncmd: [[/x]]\nwrite_files: [{path: /x}]\n"), "v1.37.1", "/x: not found, or not executable"},
		"a command of the shell":          {compressed("#cloud-config\nruncmd: ['touch /tmp/x']\n"), "v1.37.1", "does not run touch /tmp/x"},
		"a command in a script":           {compressed("#cloud-config\nruncmd: [[/join]]\nwrite_files:\n" + join + "curl http://x | sh\n"), "v1.37.1", `/join: the simulator does not know the command "curl http://x | sh"`},
		"an image without a kubelet":      {rendered(t), "", `the image "node" has no /usr/bin/kubelet`},
		"no command line":                 {compressed(enabled), "v1.37.1", `ExecStart is ""`},
		"another program":                 {unit("ExecStart=/usr/bin/nomad"), "v1.37.1", `ExecStart is "/usr/bin/nomad"`},
		"an environment that is missing":  {unit("EnvironmentFile=/etc/none"), "v1.37.1", "there is no /etc/none"},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPlace(t), server(t)
			s.UserData, s.Image[guest.PropertyKubernetes] = test.userData, test.image
			d := p.driver(t)
			check(t, d.Boot(t.Context(), s))
			if got := d.Console(id); !strings.Contains(got, test.want) {
				t.Errorf("its console shows\n%s\nwithout %q", got, test.want)
			}
			if got := p.pid(t, id); got != 0 {
				t.Errorf("it has a kubelet, as %d", got)
			}
			check(t, d.Reboot(t.Context(), id, false))
		})
	}
}

func TestKubeletGetsWhatSystemdWouldGiveIt(t *testing.T) {
	d, s := disk{root: filepath.Join(t.TempDir(), "disk$(x)")}, server(t)
	check(t, d.initialize(s))
	got, err := kubelet(d, s, firstAddress)
	check(t, err)
	root := strings.ReplaceAll(d.root, "$", "$$")
	want := []string{
		"--name=shop-pool-x2k4m",
		"--config=" + root + "/var/lib/kubelet/config.yaml",
		"--bootstrap-kubeconfig=" + root + "/etc/kubernetes/bootstrap.kubeconfig",
		"--kubeconfig=" + root + "/etc/kubernetes/kubelet.conf",
		"--node-labels=node.kubernetes.io/pool=pool,tier=web",
		"--provider-id=openstack:///" + id,
		"--root-dir=" + root + "/var/lib/kubelet",
		"--node-ip=127.64.0.1",
		"--capacity=cpu=2,memory=8192Mi,ephemeral-storage=50Gi",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
	info, err := os.Stat(d.path("/etc/kubernetes/bootstrap.kubeconfig"))
	check(t, err)
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the token's file has the mode %o, want 600", got)
	}
}

func TestFilesStayOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := server(t)
	s.UserData = compressed("#cloud-config\nwrite_files: [{path: ../../../../out, content: x}, {path: /a/../../b, content: x}]\n")
	check(t, disk{root: filepath.Join(dir, "a", "disk")}.initialize(s))
	for _, path := range []string{"out", "b"} {
		if _, err := os.Stat(filepath.Join(dir, "a", "disk", path)); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "a")); err != nil || len(entries) != 1 {
		t.Errorf("beside the disk: %v %v", entries, err)
	}
}

func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		check(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	of := func(a *addresses, id string) string {
		t.Helper()
		address, err := a.of(id)
		check(t, err)
		return address.String()
	}
	a, err := readAddresses(dir)
	check(t, err)
	first := of(a, "a")
	// Where somebody else has the one that it would begin with.
	address, err := a.of("b")
	check(t, err)
	a.free("b")
	a.taken[address] = "somebody"
	second := of(a, "b")
	if first == second || second == address.String() {
		t.Errorf("the servers have %s and %s, and somebody has %s", first, second, address)
	}
	again, err := readAddresses(dir)
	check(t, err)
	if got := []string{of(again, "a"), of(again, "b")}; !cmp.Equal(got, []string{first, second}) {
		t.Errorf("later they have %v, want %s and %s", got, first, second)
	}
	if !strings.HasPrefix(first, "127.") {
		t.Errorf("%s is not of this machine", first)
	}
}
