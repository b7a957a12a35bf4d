package session

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// versions are the versions of the releases, oldest first.
func versions(list *v1alpha1.KubernetesReleaseList) []release.Version {
	var all []release.Version
	for _, item := range list.Items {
		// The API refuses any other name.
		if v, err := release.Parse(item.Name); err == nil {
			all = append(all, v)
		}
	}
	release.Sort(all)
	return all
}

// NewestFirst are the names of the releases, the newest first.
func NewestFirst(list *v1alpha1.KubernetesReleaseList) []string {
	names := []string{}
	for _, v := range slices.Backward(versions(list)) {
		names = append(names, v.String())
	}
	return names
}

// Versions are the releases that the management cluster offers, oldest first.
func Versions(ctx context.Context, c client.Reader) ([]release.Version, error) {
	var list v1alpha1.KubernetesReleaseList
	if err := c.List(ctx, &list); err != nil {
		return nil, err
	}
	return versions(&list), nil
}

// VersionsFor are the releases that a cluster may run, oldest first: those that exist, and that
// its Infrastructure offers if it is in one.
func VersionsFor(ctx context.Context, c client.Reader, cluster *v1alpha1.Cluster) ([]release.Version, error) {
	all, err := Versions(ctx, c)
	if ref := cluster.Spec.InfrastructureRef; err == nil && ref != nil {
		var there []release.Version
		if there, err = versionsIn(ctx, c, ref.Name); err == nil {
			all = slices.DeleteFunc(all, func(v release.Version) bool { return !slices.Contains(there, v) })
		}
	}
	return all, err
}

// NewestVersion is the newest release that the management cluster offers.
func NewestVersion(ctx context.Context, c client.Reader) (string, error) {
	all, err := Versions(ctx, c)
	if err != nil {
		return "", err
	}
	newest, ok := release.Latest(all)
	if !ok {
		return "", failure.New("ask the platform team to publish one: 'kubectl get kubernetesreleases' lists them",
			"the management cluster offers no Kubernetes version")
	}
	return newest.String(), nil
}

// NewestVersionIn is the newest release that an Infrastructure offers.
func NewestVersionIn(ctx context.Context, c client.Reader, infrastructure string) (string, error) {
	offered, err := versionsIn(ctx, c, infrastructure)
	if err != nil {
		return "", err
	}
	newest, _ := release.Latest(offered)
	return newest.String(), nil
}

// versionsIn are those that an Infrastructure offers.
func versionsIn(ctx context.Context, c client.Reader, infrastructure string) ([]release.Version, error) {
	infra := &v1alpha1.Infrastructure{}
	if err := c.Get(ctx, client.ObjectKey{Name: infrastructure}, infra); err != nil {
		return nil, err
	}
	var offered []release.Version
	for _, o := range infra.Spec.Releases {
		// The API refuses any other name, and an Infrastructure without any.
		if v, err := release.Parse(o.Release); err == nil {
			offered = append(offered, v)
		}
	}
	return offered, nil
}
