package main

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"

	"github.com/spf13/pflag"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/kubernetes/pkg/util/taints"
)

// defaultCapacity is a small flavor. It is only told to the scheduler, never used.
var defaultCapacity = map[string]string{"cpu": "2", "memory": "4Gi", "ephemeral-storage": "50Gi"}

// options is what the command line says. Names are the kubelet's where it has one.
type options struct {
	name                string
	bootstrapKubeconfig string
	kubeconfig          string
	config              string
	rootDir             string
	providerID          string
	cloudProvider       string
	nodeIP              string
	port                int
	nodeLabels          map[string]string
	registerWithTaints  []string
	capacity            map[string]string
}

func (o *options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.name, "name", "", "Name of the Node. Required.")
	flags.StringVar(&o.rootDir, "root-dir", "", "Directory for all of the node's data. Required.")
	flags.StringVar(&o.bootstrapKubeconfig, "bootstrap-kubeconfig", "", "Kubeconfig with a bootstrap token, used while --kubeconfig holds no valid certificate.")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "Kubeconfig of the node, written after the bootstrap. Defaults to ROOT-DIR/kubeconfig.")
	flags.StringVar(&o.config, "config", "", "KubeletConfiguration file. What would touch this machine is overridden.")
	flags.StringVar(&o.providerID, "provider-id", "", "The Node's spec.providerID.")
	flags.StringVar(&o.cloudProvider, "cloud-provider", "", "Empty or external, as the kubelet's: external registers the Node with the uninitialized taint.")
	flags.StringVar(&o.nodeIP, "node-ip", "", "The Node's InternalIP. Any address, also one that this machine does not have. Defaults to this machine's.")
	flags.IntVar(&o.port, "port", 0, "HTTPS port of the kubelet; 0 takes a free one. It listens on --node-ip if this machine has that address, else on 127.0.0.1.")
	flags.Var(cliflag.NewMapStringString(&o.nodeLabels), "node-labels", "Labels to register with, key=value,...")
	flags.StringSliceVar(&o.registerWithTaints, "register-with-taints", nil, "Taints to register with besides those of --config, key=value:effect,...")
	flags.Var(cliflag.NewMapStringString(&o.capacity), "capacity", "Resources that the Node reports, name=quantity,...; what is not named stays cpu=2, memory=4Gi, ephemeral-storage=50Gi.")
}

// complete checks the flags and fills in what others imply.
func (o *options) complete() error {
	if o.name == "" || o.rootDir == "" {
		return errors.New("--name and --root-dir are required")
	}
	if o.nodeIP != "" {
		if _, err := netip.ParseAddr(o.nodeIP); err != nil {
			return fmt.Errorf("--node-ip: %w", err)
		}
	}
	// The kubelet writes these paths into its kubeconfig and into volumes.
	for _, path := range []*string{&o.rootDir, &o.kubeconfig, &o.bootstrapKubeconfig, &o.config} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	if o.kubeconfig == "" {
		o.kubeconfig = filepath.Join(o.rootDir, "kubeconfig")
	}
	return nil
}

func (o *options) taints() ([]corev1.Taint, error) {
	add, remove, err := taints.ParseTaints(o.registerWithTaints)
	if err != nil {
		return nil, fmt.Errorf("--register-with-taints: %w", err)
	}
	if len(remove) > 0 {
		return nil, errors.New("--register-with-taints: there is nothing to remove a taint from")
	}
	return add, nil
}

func (o *options) resources() (corev1.ResourceList, error) {
	wanted := maps.Clone(defaultCapacity)
	maps.Copy(wanted, o.capacity)
	list := corev1.ResourceList{}
	for name, text := range wanted {
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			return nil, fmt.Errorf("--capacity: %s=%s: %w", name, text, err)
		}
		list[corev1.ResourceName(name)] = quantity
	}
	return list, nil
}
