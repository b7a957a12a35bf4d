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

// NewestVersion is the newest release that the management cluster offers.
func NewestVersion(ctx context.Context, c client.Reader) (string, error) {
	var list v1alpha1.KubernetesReleaseList
	if err := c.List(ctx, &list); err != nil {
		return "", err
	}
	newest, ok := release.Latest(versions(&list))
	if !ok {
		return "", failure.New("ask the platform team to publish one: 'kubectl get kubernetesreleases' lists them",
			"the management cluster offers no Kubernetes version")
	}
	return newest.String(), nil
}

// NewestVersionIn is the newest release that an Infrastructure offers.
func NewestVersionIn(ctx context.Context, c client.Reader, infrastructure string) (string, error) {
	infra := &v1alpha1.Infrastructure{}
	if err := c.Get(ctx, client.ObjectKey{Name: infrastructure}, infra); err != nil {
		return "", err
	}
	var offered []release.Version
	for _, o := range infra.Spec.Releases {
		// The API refuses any other name, and an Infrastructure without any.
		if v, err := release.Parse(o.Release); err == nil {
			offered = append(offered, v)
		}
	}
	newest, _ := release.Latest(offered)
	return newest.String(), nil
}
