package userdata

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/pkg/reconcile"
)

// maxEncoded is how many characters of base64 Nova takes as user data
// (nova/api/openstack/compute/schemas/servers.py).
const maxEncoded = 65535

// Where the user data puts what.
const (
	pathBootstrap = "/etc/kubernetes/bootstrap.kubeconfig"
	pathCA        = "/etc/kubernetes/pki/ca.crt"
	pathConfig    = "/var/lib/kubelet/config.yaml"
	pathUnit      = "/etc/systemd/system/kubelet.service.d/20-marina.conf"
	pathJoin      = "/usr/local/lib/marina/join"
)

//go:embed join.sh
var join string

// Node is what a machine is to become.
type Node struct {
	// Name of the node.
	Name string
	// BootstrapKubeconfig leads to the cluster, holds its CA, and a bootstrap token and no
	// other credentials.
	BootstrapKubeconfig []byte
	// KubeletConfiguration is the KubeletConfiguration of the cluster's minor, as YAML.
	KubeletConfiguration []byte
	// Capacity of the machine, of which a part is reserved.
	Capacity Capacity
	// Labels and Taints that the node has from its first moment.
	Labels map[string]string
	Taints []corev1.Taint
}

// Render returns the user data, compressed with gzip as cloud-init takes it. What is wrong
// with the Node, or too large, is a reconcile.UserError.
func Render(n Node) ([]byte, error) {
	files, err := Files(n)
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(cloudConfig{
		WriteFiles: files,
		RunCmd:     [][]string{{pathJoin}},
		// The console of the machine, which its owner can read, tells why it did not join.
		Output: map[string]string{"all": "| tee -a /var/log/cloud-init-output.log /dev/console"},
	})
	if err != nil {
		return nil, err
	}
	return compress(append([]byte("#cloud-config\n"), text...), n.Name)
}

// cloudConfig is what of cloud-init's configuration is used.
type cloudConfig struct {
	WriteFiles []File            `json:"write_files"`
	RunCmd     [][]string        `json:"runcmd"`
	Output     map[string]string `json:"output,omitempty"`
}

// File is one that the machine is given, as cloud-init's module write_files takes it.
type File struct {
	Path        string `json:"path"`
	Permissions string `json:"permissions"`
	Content     string `json:"content"`
}

// Files are what the machine is given.
func Files(n Node) ([]File, error) {
	if err := validate(n); err != nil {
		return nil, err
	}
	ca, err := clusterCA(n.BootstrapKubeconfig)
	if err != nil {
		return nil, err
	}
	config, err := kubeletConfiguration(n)
	if err != nil {
		return nil, err
	}
	return []File{
		{Path: pathBootstrap, Permissions: "0600", Content: string(n.BootstrapKubeconfig)},
		{Path: pathCA, Permissions: "0644", Content: string(ca)},
		{Path: pathConfig, Permissions: "0644", Content: config},
		{Path: pathUnit, Permissions: "0644", Content: unit(n)},
		{Path: pathJoin, Permissions: "0755", Content: join},
	}, nil
}

// unit makes the kubelet of the image one of the cluster. $KUBELET_EXTRA_ARGS is the
// image's, and comes last.
func unit(n Node) string {
	args := []string{
		"/usr/bin/kubelet",
		"--hostname-override=" + n.Name,
		"--config=" + pathConfig,
		"--bootstrap-kubeconfig=" + pathBootstrap,
		"--kubeconfig=/etc/kubernetes/kubelet.conf",
	}
	if len(n.Labels) > 0 {
		var labels []string
		for _, key := range slices.Sorted(maps.Keys(n.Labels)) {
			labels = append(labels, key+"="+n.Labels[key])
		}
		args = append(args, "--node-labels="+strings.Join(labels, ","))
	}
	args = append(args, "$MARINA_PROVIDER_ARGS", "$KUBELET_EXTRA_ARGS")
	return "[Service]\nEnvironmentFile=-/etc/default/marina-provider\nExecStart=\nExecStart=" + strings.Join(args, " \\\n  ") + "\n"
}

// compress makes the text small enough, or says that it is not.
func compress(text []byte, name string) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if n := base64.StdEncoding.EncodedLen(out.Len()); n > maxEncoded {
		return nil, reconcile.UserError("UserDataTooLarge", "the user data of node %s has %d characters, compressed and encoded, and a server takes %d: give the pool fewer labels or taints, or the release a smaller KubeletConfiguration", name, n, maxEncoded)
	}
	return out.Bytes(), nil
}

func invalid(format string, args ...any) error {
	return reconcile.UserError("InvalidNode", "%s", fmt.Sprintf(format, args...))
}
