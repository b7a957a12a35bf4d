package session

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// completionTime is how long a person waits after pressing Tab for a server that
// does not answer.
const completionTime = 2 * time.Second

const noFiles = cobra.ShellCompDirectiveNoFileComp

// CompleteClusters completes the names of clusters; at most limit of them, or any
// number if it is zero. Those given already are not offered again.
func CompleteClusters(open Opener, limit int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if limit > 0 && len(args) >= limit {
			return nil, noFiles
		}
		var list v1alpha1.ClusterList
		if !complete(open, cmd, &list, true) {
			return nil, noFiles
		}
		var names []cobra.Completion
		for _, c := range list.Items {
			if !slices.Contains(args, c.Name) {
				names = append(names, cobra.CompletionWithDesc(c.Name, strings.TrimSpace(string(c.Status.Phase)+" "+c.Spec.Version)))
			}
		}
		return names, noFiles
	}
}

// CompleteNodePools completes the names of pools of nodes; at most limit of them, or any
// number if it is zero. Those given already are not offered again.
func CompleteNodePools(open Opener, limit int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var list v1alpha1.NodePoolList
		if (limit > 0 && len(args) >= limit) || !complete(open, cmd, &list, true) {
			return nil, noFiles
		}
		var names []cobra.Completion
		for _, p := range list.Items {
			if !slices.Contains(args, p.Name) {
				names = append(names, cobra.CompletionWithDesc(p.Name, strings.TrimSpace(string(p.Status.Phase)+" of "+p.Spec.ClusterRef.Name)))
			}
		}
		return names, noFiles
	}
}

// CompleteFlavors completes the names of the flavors of the infrastructure of the cluster
// that a flag names; of all infrastructures if it names none.
func CompleteFlavors(open Opener, flag string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var clusters v1alpha1.ClusterList
		var infras v1alpha1.InfrastructureList
		if !complete(open, cmd, &clusters, true) || !complete(open, cmd, &infras, false) {
			return nil, noFiles
		}
		name, _ := cmd.Flags().GetString(flag)
		cluster := slices.IndexFunc(clusters.Items, func(c v1alpha1.Cluster) bool { return c.Name == name })
		flavors := map[string]bool{}
		for _, i := range infras.Items {
			if cluster >= 0 && !isIn(&clusters.Items[cluster], i.Name) {
				continue
			}
			for _, flavor := range i.Spec.Flavors {
				flavors[flavor] = true
			}
		}
		return slices.Sorted(maps.Keys(flavors)), noFiles
	}
}

func isIn(c *v1alpha1.Cluster, infrastructure string) bool {
	return c.Spec.InfrastructureRef != nil && c.Spec.InfrastructureRef.Name == infrastructure
}

// CompleteTargets completes one name of what operations are about: of clusters and pools.
func CompleteTargets(open Opener) cobra.CompletionFunc {
	clusters, pools := CompleteClusters(open, 1), CompleteNodePools(open, 1)
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		names, _ := clusters(cmd, args, start)
		more, _ := pools(cmd, args, start)
		return append(names, more...), noFiles
	}
}

// CompleteOperations completes the name of one of the operations that fit, of clusters and
// pools that there are still.
func CompleteOperations(open Opener, fits func(*v1alpha1.Operation) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var list v1alpha1.OperationList
		var clusters v1alpha1.ClusterList
		var pools v1alpha1.NodePoolList
		if len(args) > 0 || !complete(open, cmd, &list, true) || !complete(open, cmd, &clusters, true) || !complete(open, cmd, &pools, true) {
			return nil, noFiles
		}
		targetIsThere := func(o *v1alpha1.Operation) bool {
			target := o.Spec.TargetRef
			is := func(object client.Object) bool {
				return object.GetName() == target.Name && (target.UID == "" || object.GetUID() == target.UID)
			}
			if target.Kind == v1alpha1.TargetNodePool {
				return slices.ContainsFunc(pools.Items, func(p v1alpha1.NodePool) bool { return is(&p) })
			}
			return slices.ContainsFunc(clusters.Items, func(c v1alpha1.Cluster) bool { return is(&c) })
		}
		var names []cobra.Completion
		for _, o := range list.Items {
			if fits(&o) && targetIsThere(&o) {
				names = append(names, cobra.CompletionWithDesc(o.Name, strings.TrimSpace(string(o.Spec.Type)+" "+string(o.Status.Phase))))
			}
		}
		return names, noFiles
	}
}

// CompleteVersions completes the names of the releases on offer, newest first.
func CompleteVersions(open Opener) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var list v1alpha1.KubernetesReleaseList
		complete(open, cmd, &list, false)
		return NewestFirst(&list), noFiles | cobra.ShellCompDirectiveKeepOrder
	}
}

// CompleteUpgrades completes the name of a cluster, and then the versions to which that one may be
// upgraded, newest first.
func CompleteUpgrades(open Opener) cobra.CompletionFunc {
	clusters := CompleteClusters(open, 1)
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return clusters(cmd, args, start)
		}
		var names []cobra.Completion
		ask(open, cmd, func(ctx context.Context, s *Session) error {
			cluster, err := s.Cluster(ctx, args[0])
			if err != nil {
				return err
			}
			from, err := release.Parse(cluster.Status.Version)
			if err != nil {
				return err
			}
			offered, err := VersionsFor(ctx, s.Client, cluster)
			for _, v := range slices.Backward(release.Upgrades(from, offered)) {
				names = append(names, v.String())
			}
			return err
		})
		return names, noFiles | cobra.ShellCompDirectiveKeepOrder
	}
}

// CompleteInfrastructures completes the names of infrastructures; at most limit of them,
// or any number if it is zero.
func CompleteInfrastructures(open Opener, limit int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var list v1alpha1.InfrastructureList
		if (limit > 0 && len(args) >= limit) || !complete(open, cmd, &list, false) {
			return nil, noFiles
		}
		var names []cobra.Completion
		for _, i := range list.Items {
			if !slices.Contains(args, i.Name) {
				names = append(names, cobra.CompletionWithDesc(i.Name, i.Spec.Region))
			}
		}
		return names, noFiles
	}
}

// CompleteNamespaces completes the names of namespaces.
func CompleteNamespaces(open Opener) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var list corev1.NamespaceList
		complete(open, cmd, &list, false)
		var names []cobra.Completion
		for _, namespace := range list.Items {
			// A cluster's own namespace holds no Clusters.
			if _, internal := namespace.Labels[v1alpha1.LabelClusterUID]; !internal {
				names = append(names, namespace.Name)
			}
		}
		return names, noFiles
	}
}

// CompleteContexts completes the names of contexts.
func (f *Flags) CompleteContexts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	config, _, err := f.read()
	if err != nil {
		return nil, noFiles
	}
	return slices.Sorted(maps.Keys(config.Contexts)), noFiles
}

// CompleteFlag completes the value of a flag, which does not depend on the arguments
// beside it.
func CompleteFlag(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return complete(cmd, nil, toComplete)
	}
}

// CompleteFixed completes a flag that takes one of a few words.
func CompleteFixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, noFiles)
}

// complete fills list.
func complete(open Opener, cmd *cobra.Command, list client.ObjectList, namespaced bool) bool {
	return ask(open, cmd, func(ctx context.Context, s *Session) error {
		var options []client.ListOption
		if namespaced {
			options = append(options, client.InNamespace(s.Namespace))
		}
		return s.Client.List(ctx, list, options...)
	})
}

// ask asks the management cluster for what a completion needs. One that fails offers nothing:
// there is no place for an error on a line that somebody is typing.
func ask(open Opener, cmd *cobra.Command, question func(context.Context, *Session) error) bool {
	s, err := open(cmd)
	if err != nil {
		return false
	}
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completionTime)
	defer cancel()
	return question(ctx, s) == nil
}
