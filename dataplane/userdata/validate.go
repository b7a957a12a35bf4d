package userdata

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	kubelet "k8s.io/kubelet/pkg/apis"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// effects are those that a taint may have.
var effects = []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}

// validate says what a kubelet, or an API server that it asks, would refuse when the
// machine has been paid for already.
func validate(n Node) error {
	if problems := validation.IsDNS1123Subdomain(n.Name); len(problems) > 0 {
		return invalid("%q cannot be the name of a node: %s", n.Name, problems[0])
	}
	if c := n.Capacity; c.CPUs < 1 || c.MemoryMiB < v1alpha1.MinFlavorMemoryMiB || c.DiskGiB < minDiskGiB {
		return invalid("a machine with %d cores, %d MiB of memory and a disk of %d GiB is too small for a node: it takes 1 core, %d MiB and %d GiB", c.CPUs, c.MemoryMiB, c.DiskGiB, v1alpha1.MinFlavorMemoryMiB, minDiskGiB)
	}
	return Validate(n.Labels, n.Taints)
}

// Validate says what a kubelet would refuse of the labels and taints of a node.
func Validate(labels map[string]string, taints []corev1.Taint) error {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if err := validateLabel(key, labels[key]); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, t := range taints {
		if err := validateTaint(t); err != nil {
			return err
		}
		id := v1alpha1.TaintID(t.Key, t.Effect)
		if seen[id] {
			return invalid("taint %s is there twice: a node has each key once with each effect", id)
		}
		seen[id] = true
	}
	return nil
}

func validateLabel(key, value string) error {
	if problems := validation.IsQualifiedName(key); len(problems) > 0 {
		return invalid("%q cannot be the key of a label: %s", key, problems[0])
	}
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		return invalid("%q cannot be the value of label %s: %s", value, key, problems[0])
	}
	if ofKubernetes(key) && !kubelet.IsKubeletLabel(key) {
		return invalid("label %s is Kubernetes' own, and a node may not give it to itself: choose a key outside kubernetes.io and k8s.io, or one that begins with node.kubernetes.io/", key)
	}
	return nil
}

// ofKubernetes reports whether Kubernetes has a label's key for itself.
func ofKubernetes(key string) bool {
	domain, _, found := strings.Cut(key, "/")
	return found && slices.ContainsFunc([]string{"kubernetes.io", "k8s.io"}, func(own string) bool {
		return domain == own || strings.HasSuffix(domain, "."+own)
	})
}

func validateTaint(t corev1.Taint) error {
	if problems := validation.IsQualifiedName(t.Key); len(problems) > 0 {
		return invalid("%q cannot be the key of a taint: %s", t.Key, problems[0])
	}
	if problems := validation.IsValidLabelValue(t.Value); len(problems) > 0 {
		return invalid("%q cannot be the value of taint %s: %s", t.Value, t.Key, problems[0])
	}
	if !slices.Contains(effects, t.Effect) {
		var names []string
		for _, e := range effects {
			names = append(names, string(e))
		}
		return invalid("taint %s has the effect %q: it takes one of %s", t.Key, t.Effect, strings.Join(names, ", "))
	}
	return nil
}
