package nodeimage

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/marina-dev/marina/dataplane/userdata"
)

// unit is a unit of systemd: the values of each key, by section and key.
func unit(t *testing.T, file string) map[string][]string {
	t.Helper()
	values, section := map[string][]string{}, ""
	for line := range strings.Lines(read(t, file)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		} else if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			values[section+"."+key] = append(values[section+"."+key], value)
		}
	}
	return values
}

// The user data of a node takes the place of what the service starts and no more: see "What
// it expects of the image" in docs/reference/user-data.md.
func TestTheKubeletIsAsUserDataExpects(t *testing.T) {
	service := unit(t, "root/etc/systemd/system/kubelet.service")
	start := service["Service.ExecStart"]
	if len(start) != 1 || !strings.HasPrefix(start[0], "/usr/bin/kubelet ") || !strings.HasSuffix(start[0], " $KUBELET_EXTRA_ARGS") {
		t.Errorf("ExecStart is %q, want one /usr/bin/kubelet that ends with $KUBELET_EXTRA_ARGS", start)
	}
	arguments := unit(t, "root"+strings.TrimPrefix(strings.Join(service["Service.EnvironmentFile"], " "), "-"))[".KUBELET_EXTRA_ARGS"]
	if len(arguments) != 1 || !strings.Contains(arguments[0], "--config-dir=") {
		t.Errorf("KUBELET_EXTRA_ARGS is %q, want the folder of additions in it", arguments)
	}
	if got := service["Install.WantedBy"]; len(got) != 1 {
		t.Errorf("WantedBy is %q: the join script enables the service, which takes one", got)
	}
	if !strings.Contains(read(t, "root.sh"), "systemctl -q disable kubelet.service") {
		t.Error("the kubelet is enabled before it has been said what to join")
	}

	files, err := userdata.Files(userdata.Node{
		Name: "node", Capacity: userdata.Capacity{CPUs: 2, MemoryMiB: 8192, DiskGiB: 50},
		KubeletConfiguration: []byte("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"),
		BootstrapKubeconfig:  []byte(bootstrap),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, err := os.Stat("root" + file.Path); err == nil {
			t.Errorf("%s is in the image, and the user data writes it as well", file.Path)
		}
		if condition := service["Unit.ConditionPathExists"]; strings.HasSuffix(file.Path, "/config.yaml") && (len(condition) != 1 || condition[0] != file.Path) {
			t.Errorf("the kubelet waits for %q, the user data writes %s", condition, file.Path)
		}
	}
}

const bootstrap = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://203.0.113.7:6443", certificate-authority-data: Y2E=}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
users: [{name: u, user: {token: abcdef.0123456789abcdef}}]
`

// testsOnly is what makes a node of a machine that is none for a release, or lets in whoever
// finds the address.
var testsOnly = regexp.MustCompile(`(?i)failCgroupV1|restrict_oom_score_adj|own-cgroups|nopasswd|chpasswd|PasswordAuthentication yes|ssh_pwauth: true|PermitRootLogin yes|PRIVATE KEY`)

func TestNothingForTestsIsInARelease(t *testing.T) {
	found := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".go") {
			return err
		}
		match := testsOnly.FindString(read(t, path))
		switch {
		case strings.HasPrefix(path, "test-container/"):
			if match != "" {
				found++
			}
		case match != "":
			t.Errorf("%s has %s, which is for tests only: it belongs into test-container", path, match)
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("test-container has nothing of the kind (%v): the test looks for the wrong words", err)
	}
	// One way in, which a release does not take.
	for _, script := range []string{"common.sh", "root.sh", "disk.sh", "manifest.sh"} {
		if strings.Contains(read(t, script), "test_container") || strings.Contains(read(t, script), "test-container") {
			t.Errorf("%s knows of test-container", script)
		}
	}
	build := read(t, "build.sh")
	if body := function(t, build, "image_container"); strings.Count(build, "test_container ") != 1 || !strings.Contains(body, "test_container ") {
		t.Error("build.sh calls test_container from elsewhere than image_container")
	}
}

// function is the body of a function of a shell script.
func function(t *testing.T, script, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?ms)^` + name + `\(\) \{$(.*?)^\}$`).FindStringSubmatch(script)
	if m == nil {
		t.Fatalf("no function %s", name)
	}
	return m[1]
}

// What only one machine may have must not be in what many are made of.
func TestTheRootIsNobodys(t *testing.T) {
	setup := function(t, read(t, "root.sh"), "root_setup")
	for what, want := range map[string]string{
		"keys of the SSH server": "/etc/ssh/ssh_host_*",
		"a seed of randomness":   "/var/lib/systemd/random-seed",
		"a machine id":           `: >"$to/etc/machine-id"`,
		"a name":                 `$to/etc/hostname`,
		"updates by itself":      "apt-daily-upgrade.timer",
	} {
		if !strings.Contains(setup, want) {
			t.Errorf("root_setup leaves %s: it does not have %s", what, want)
		}
	}
	if !strings.Contains(function(t, read(t, "root.sh"), "root_archive"), "introspection/uuid") {
		t.Error("root_archive leaves the identity of the containerd that has imported the images")
	}
	for _, file := range []string{"etc/hostname", "etc/machine-id", "etc/shadow", "etc/passwd"} {
		if _, err := os.Stat(filepath.Join("root", file)); err == nil {
			t.Errorf("root/%s is in the repository", file)
		}
	}
	if got := read(t, "root/etc/ssh/sshd_config.d/10-marina.conf"); !strings.Contains(got, "PasswordAuthentication no\n") {
		t.Error("the SSH server takes passwords")
	}
}
