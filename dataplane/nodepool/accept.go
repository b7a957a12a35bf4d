package nodepool

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/marina-dev/marina/dataplane/userdata"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// minDiskGiB is the smallest disk of a node (features P23).
const minDiskGiB = 20

// accept finds out whether the spec can be carried out, as far as it is known yet where that
// is to be. The CRD refuses most of what is wrong when it is written; across objects nothing
// is atomic, so that the last word is here.
func (r *Reconciler) accept(ctx context.Context, s *scope) error {
	err := r.check(ctx, s)
	if e := reconcile.As(err); e != nil && e.Kind == reconcile.KindUser {
		s.refused, err = e, nil
	} else if e != nil && e.Kind == reconcile.KindWait {
		if s.blocked == nil {
			s.blocked = e
		}
		err = nil
	}
	return err
}

func (r *Reconciler) check(ctx context.Context, s *scope) error {
	spec := s.pool.Spec
	if err := checkNode(spec); err != nil {
		return err
	}
	if s.cluster == nil || s.cluster.DeletionTimestamp != nil {
		return nil
	}
	if s.cluster.Spec.InfrastructureRef == nil {
		return reconcile.UserError("NoInfrastructure", "the cluster %s has no infrastructureRef, so that Marina makes no nodes for it: create a cluster with one, or join nodes of your own and delete this pool", s.cluster.Name)
	}
	if s.infra == nil {
		return nil
	}
	if err := s.checkVersion(); err != nil {
		return err
	}
	// What is there no longer stays as it is until another one is needed.
	needed := s.needsNode()
	if needed {
		if err := s.checkOffer(); err != nil {
			return err
		}
	}
	if s.network == nil || s.network.Status.NetworkID == "" {
		return nil
	}
	// A network that is being made has no router yet.
	if n := s.network.Status; spec.FloatingIPs && networkError(s.network) == nil && (n.RouterID == "" || n.ExternalNetworkID == "") {
		return reconcile.UserError("NoRouter", "floatingIPs need a router with a gateway, and none is seen at the subnet of the nodes: remove floatingIPs, or give the cluster's network a router that this project sees")
	}
	if err := r.checkRanges(ctx, s); err != nil || !needed {
		return err
	}
	return r.checkCloud(ctx, s)
}

// makesNode reports whether a node is to be made, of whatever kind.
func (s *scope) makesNode() bool {
	w := s.wish()
	w.held = false
	return plan(w, s.machines).create > 0
}

// needsNode reports whether a node is to be made, or none has been made yet of the template.
func (s *scope) needsNode() bool {
	w := s.wish()
	w.held = false
	made := slices.ContainsFunc(s.machines, func(m v1alpha1.Machine) bool { return m.DeletionTimestamp == nil && w.isCurrent(m) })
	todo := plan(w, s.machines)
	return !made || todo.create > 0 && todo.former == nil || todo.rebuild != nil
}

// checkNode checks what is put on nodes.
func checkNode(spec v1alpha1.NodePoolSpec) error {
	for _, key := range slices.Sorted(maps.Keys(spec.Labels)) {
		if domain, _, found := strings.Cut(key, "/"); found && domain == "marina.dev" {
			return reconcile.UserError("InvalidNode", "label %s is Marina's own: choose a key outside marina.dev", key)
		}
	}
	var taints []corev1.Taint
	for _, t := range slices.Concat(spec.Taints, spec.StartupTaints) {
		taints = append(taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
	}
	for _, t := range spec.StartupTaints {
		if slices.ContainsFunc(spec.Taints, func(other v1alpha1.Taint) bool { return other.Key == t.Key && other.Effect == t.Effect }) {
			return reconcile.UserError("InvalidNode", "taint %s:%s is among taints, which are kept, and among startupTaints, which are not: choose one", t.Key, t.Effect)
		}
	}
	return userdata.Validate(spec.Labels, taints)
}

// checkOffer checks what the Infrastructure offers.
func (s *scope) checkOffer() error {
	infra, spec, version := s.infra, s.pool.Spec, s.template().Release
	looked := infra.Status.ObservedGeneration == infra.Generation
	if !slices.Contains(infra.Spec.Flavors, spec.Flavor) {
		return reconcile.UserError("FlavorNotOffered", "Infrastructure %s does not offer the flavor %s: choose one of %s", infra.Name, spec.Flavor, someOf(infra.Spec.Flavors))
	}
	flavor := slices.IndexFunc(infra.Status.Flavors, func(f v1alpha1.InfrastructureFlavor) bool { return f.Name == spec.Flavor })
	switch {
	case flavor < 0 && looked:
		return reconcile.UserError("FlavorNotFound", "Infrastructure %s offers the flavor %s, and its cloud does not have it: ask whoever runs the platform, or choose one of %s", infra.Name, spec.Flavor, someOf(infra.Spec.Flavors))
	case flavor < 0:
		return reconcile.Wait("InfrastructureNotReady", "it is not known yet whether the cloud of Infrastructure %s has the flavor %s", infra.Name, spec.Flavor)
	}
	if err := checkSize(spec, infra.Status.Flavors[flavor]); err != nil {
		return err
	}
	if version == "" {
		return nil
	}
	if !slices.ContainsFunc(infra.Spec.Releases, func(r v1alpha1.InfrastructureRelease) bool { return r.Release == version }) {
		if spec.Version != "" {
			return reconcile.UserError("ReleaseNotOffered", "version: Infrastructure %s does not offer %s: choose one of its spec.releases ('marina infrastructure list -o yaml' shows them), or leave it out", infra.Name, version)
		}
		return reconcile.UserError("ReleaseNotOffered", "Infrastructure %s does not offer version %s, which the cluster runs: have it added to its spec.releases", infra.Name, version)
	}
	if spec.Image != "" {
		return nil // which is looked up
	}
	switch imaged := slices.ContainsFunc(infra.Status.Images, func(i v1alpha1.InfrastructureImage) bool { return i.Release == version }); {
	case !imaged && looked:
		return reconcile.UserError("ImageNotFound", "the cloud of Infrastructure %s does not have the image of version %s: ask whoever runs the platform", infra.Name, version)
	case !imaged:
		return reconcile.Wait("InfrastructureNotReady", "it is not known yet whether the cloud of Infrastructure %s has the image of version %s", infra.Name, version)
	}
	return nil
}

// checkSize checks that a machine of a flavor is large enough for a node.
func checkSize(spec v1alpha1.NodePoolSpec, f v1alpha1.InfrastructureFlavor) error {
	switch {
	case f.MemoryMiB < v1alpha1.MinFlavorMemoryMiB:
		return reconcile.UserError("FlavorTooSmall", "flavor %s has %d MiB of memory, and a node takes at least %d (2 GB): choose a larger one", f.Name, f.MemoryMiB, v1alpha1.MinFlavorMemoryMiB)
	case spec.DiskGiB != nil:
		return nil // which is at least that large
	case f.DiskGiB == 0:
		return reconcile.UserError("DiskTooSmall", "flavor %s has no disk of its own: set diskGiB, to %d or more", f.Name, minDiskGiB)
	case f.DiskGiB < minDiskGiB:
		return reconcile.UserError("DiskTooSmall", "flavor %s has a disk of %d GiB, and a node takes at least %d: set diskGiB, or choose another flavor", f.Name, f.DiskGiB, minDiskGiB)
	}
	return nil
}

// someOf are the first few of several names.
func someOf(names []string) string {
	const most = 8
	sorted := slices.Sorted(slices.Values(names))
	if len(sorted) > most {
		return strings.Join(sorted[:most], ", ") + ", ..."
	}
	return strings.Join(sorted, ", ")
}
