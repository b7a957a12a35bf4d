package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Folders of the manifests.
const (
	folderCRDs     = "crds"
	folderPolicies = "policies"
	folderReleases = "releases"
	folderDefaults = "defaults"
)

// manifestSet is all that is applied to a management cluster, by folder; the
// namespaces of the defaults are apart, since other things go into them.
type manifestSet struct {
	crds, policies, releases, namespaces, defaults []*unstructured.Unstructured
}

func readManifestSet(files fs.FS) (set manifestSet, err error) {
	for folder, objects := range map[string]*[]*unstructured.Unstructured{
		folderCRDs: &set.crds, folderPolicies: &set.policies, folderReleases: &set.releases, folderDefaults: &set.defaults,
	} {
		if *objects, err = readManifests(files, folder); err != nil {
			return manifestSet{}, err
		}
	}
	set.namespaces, set.defaults = splitNamespaces(set.defaults)
	return set, nil
}

// applyAPI makes the API of an API server Marina's:
//
//  1. kinds and namespaces
//  2. releases, and their names where the policies look them up
//  3. policies, which refuse every Cluster until then
func (set manifestSet) applyAPI(ctx context.Context, c client.Client) error {
	first, groupCtx := errgroup.WithContext(ctx)
	first.Go(func() error { return applyCRDs(groupCtx, c, set.crds) })
	first.Go(func() error { return createAbsent(groupCtx, c, set.namespaces) })
	if err := first.Wait(); err != nil {
		return err
	}
	if err := applyAll(ctx, c, set.releases); err != nil {
		return err
	}
	// The controller does this as well, but may not run yet, or at all.
	releases := &cluster.ReleaseReconciler{Client: c}
	if _, err := releases.Reconcile(ctx, ctrl.Request{}); err != nil {
		return fmt.Errorf("publishing the releases: %w", err)
	}
	return applyAll(ctx, c, set.policies)
}

// createDefaults creates what is not there: who has changed a default keeps it.
// When it returns a Cluster can be created, and is judged by the policies.
func (set manifestSet) createDefaults(ctx context.Context, c client.Client) error {
	if err := createAbsent(ctx, c, set.defaults); err != nil {
		return err
	}
	return awaitPolicies(ctx, c)
}

// awaitPolicies waits until the API server judges by new policies, which it reads once a second
// and compiles: before, it lets everything in. It reads all of them at once.
func awaitPolicies(ctx context.Context, c client.Client) error {
	return untilServed(ctx, func(ctx context.Context) error {
		never := &v1alpha1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "not-offered"},
			Spec:       v1alpha1.ClusterSpec{Version: "0.0.0-1"},
		}
		switch err := c.Create(ctx, never, client.DryRunAll); {
		case err == nil:
			return fmt.Errorf("%w: a cluster of a release that there is not may be created", errNotJudged)
		case !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err):
			return err
		case strings.Contains(err.Error(), "offered-releases.marina.dev") && !strings.Contains(err.Error(), "is not offered"):
			return fmt.Errorf("%w: %w", errNotJudged, err) // it has not read what is offered
		default:
			return nil // by a policy of somebody else's, too, which is read with ours
		}
	})
}

// readManifests reads all objects of a folder, in the order of its files.
func readManifests(files fs.FS, folder string) ([]*unstructured.Unstructured, error) {
	names, err := fs.Glob(files, path.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
		for {
			u := &unstructured.Unstructured{}
			err := decoder.Decode(u)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("manifest %s: %w", name, err)
			}
			if len(u.Object) > 0 {
				objects = append(objects, u)
			}
		}
	}
	return objects, nil
}

func splitNamespaces(objects []*unstructured.Unstructured) (namespaces, others []*unstructured.Unstructured) {
	for _, u := range objects {
		if u.GetKind() == "Namespace" {
			namespaces = append(namespaces, u)
		} else {
			others = append(others, u)
		}
	}
	return namespaces, others
}

// applyAll applies all objects at once.
func applyAll(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, u := range objects {
		group.Go(func() error {
			return untilServed(ctx, func(ctx context.Context) error { return reconcile.Apply(ctx, c, u) })
		})
	}
	return group.Wait()
}

// createAbsent creates those objects that do not exist, one after the other.
func createAbsent(ctx context.Context, c client.Client, objects []*unstructured.Unstructured) error {
	for _, u := range objects {
		err := untilServed(ctx, func(ctx context.Context) error {
			_, err := reconcile.CreateIfAbsent(ctx, c, u.DeepCopy())
			return err
		})
		if err != nil {
			return fmt.Errorf("creating %s %s: %w", u.GetKind(), u.GetName(), err)
		}
	}
	return nil
}

// applyCRDs applies kinds and waits until they are served.
func applyCRDs(ctx context.Context, c client.Client, crds []*unstructured.Unstructured) error {
	if err := applyAll(ctx, c, crds); err != nil {
		return err
	}
	for _, u := range crds {
		err := untilServed(ctx, func(ctx context.Context) error {
			crd := &apiextensionsv1.CustomResourceDefinition{}
			if err := c.Get(ctx, client.ObjectKeyFromObject(u), crd); err != nil {
				return err
			}
			return established(crd)
		})
		if err != nil {
			return fmt.Errorf("kind %s: %w", u.GetName(), err)
		}
	}
	return nil
}

// errNotJudged says that policies are not in force yet.
var errNotJudged = errors.New("the policies are not in force yet")

// errNotEstablished says that a kind is not served yet.
var errNotEstablished = errors.New("it is not established yet")

// established returns nil when a kind is served, and otherwise why not.
func established(crd *apiextensionsv1.CustomResourceDefinition) error {
	for _, condition := range crd.Status.Conditions {
		switch {
		case condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue:
			return nil
		case condition.Type == apiextensionsv1.NamesAccepted && condition.Status == apiextensionsv1.ConditionFalse:
			return errors.New(condition.Message)
		}
	}
	return errNotEstablished
}

// servedWithin limits how long an API server that is ready takes to serve a kind
// that is new to it.
const servedWithin = 30 * time.Second

// untilServed tries again what an API server refuses just because it has only
// started, or does not know a kind that has just been established.
func untilServed(ctx context.Context, do func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 25*time.Millisecond, servedWithin, true, func(ctx context.Context) (bool, error) {
		last = do(ctx)
		switch {
		case apierrors.IsNotFound(last), meta.IsNoMatchError(last), errors.Is(last, errNotEstablished), errors.Is(last, errNotJudged),
			apierrors.IsServiceUnavailable(last), apierrors.IsTooManyRequests(last):
			return false, nil
		}
		return last == nil, last
	})
	if wait.Interrupted(err) && last != nil {
		return fmt.Errorf("not within %s: %w", servedWithin, last)
	}
	return err
}
