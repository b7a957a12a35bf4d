package nodepools

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var (
	antiAffinities = lifecycle.Words(v1alpha1.AntiAffinitySoft, v1alpha1.AntiAffinityHard)
	strategies     = lifecycle.Words(v1alpha1.UpgradeRolling, v1alpha1.UpgradeInPlace)
	effects        = lifecycle.Words(corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
)

// spec is what the flags ask for. What they leave out is left to the API's defaults.
func (o *createOptions) spec(withDisk bool) (*v1alpha1.NodePoolSpec, error) {
	if o.cluster == "" {
		return nil, errors.New("--cluster is missing: name the cluster that the nodes are of")
	}
	if o.flavor == "" {
		return nil, errors.New("--flavor is missing: name one of the flavors of the cluster's infrastructure")
	}
	if o.antiAffinity != "" && !slices.Contains(antiAffinities, o.antiAffinity) {
		return nil, fmt.Errorf("--anti-affinity: %q is not known: choose %s", o.antiAffinity, strings.Join(antiAffinities, " or "))
	}
	if o.upgradeStrategy != "" && !slices.Contains(strategies, o.upgradeStrategy) {
		return nil, fmt.Errorf("--upgrade-strategy: %q is not known: choose %s", o.upgradeStrategy, strings.Join(strategies, " or "))
	}
	spec := &v1alpha1.NodePoolSpec{
		ClusterRef: v1alpha1.LocalReference{Name: o.cluster}, Version: o.version, Image: o.image,
		Flavor: o.flavor, Replicas: &o.replicas, AvailabilityZone: o.zone,
		AntiAffinity:   v1alpha1.AntiAffinity(o.antiAffinity),
		Upgrade:        v1alpha1.PoolUpgrade{Strategy: v1alpha1.UpgradeStrategy(o.upgradeStrategy)},
		SecurityGroups: o.securityGroups, Networks: o.networks, FloatingIPs: o.floatingIPs,
	}
	if withDisk {
		spec.DiskGiB = &o.disk
	}
	var err error
	if spec.Labels, err = parseLabels(o.labels); err != nil {
		return nil, err
	}
	if spec.Taints, err = parseTaints("--taint", o.taints); err != nil {
		return nil, err
	}
	spec.StartupTaints, err = parseTaints("--startup-taint", o.startupTaints)
	return spec, err
}

func parseLabels(texts []string) (map[string]string, error) {
	var labels map[string]string
	for _, text := range texts {
		key, value, found := strings.Cut(text, "=")
		if key == "" {
			return nil, fmt.Errorf("--label: %q has no key: write key=value", text)
		}
		if !found {
			return nil, fmt.Errorf("--label: %q has no value: write key=value, or %s= for an empty one", text, key)
		}
		if _, twice := labels[key]; twice {
			return nil, fmt.Errorf("--label: %s is given twice", key)
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = value
	}
	return labels, nil
}

// parseTaints reads what a flag has of taints.
func parseTaints(flag string, texts []string) ([]v1alpha1.Taint, error) {
	var taints []v1alpha1.Taint
	for _, text := range texts {
		taint, err := parseTaint(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		taints = append(taints, taint)
	}
	return taints, nil
}

// parseTaint reads a taint as kubectl writes it: key=value:Effect, or key:Effect.
func parseTaint(text string) (v1alpha1.Taint, error) {
	const form = "write key=value:Effect"
	what, effect, found := strings.Cut(text, ":")
	key, value, _ := strings.Cut(what, "=")
	switch {
	case key == "":
		return v1alpha1.Taint{}, fmt.Errorf("%q has no key: %s", text, form)
	case !found || effect == "":
		return v1alpha1.Taint{}, fmt.Errorf("%q has no effect: %s, with one of %s", text, form, strings.Join(effects, ", "))
	case !slices.Contains(effects, effect):
		return v1alpha1.Taint{}, fmt.Errorf("there is no effect %q: choose one of %s", effect, strings.Join(effects, ", "))
	}
	return v1alpha1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)}, nil
}
