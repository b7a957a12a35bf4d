package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// publishAll makes all releases of these tests, and returns when the policies are
// enforced with them.
func (s *server) publishAll(ctx context.Context) error {
	releases, err := readManifests("releases")
	if err != nil {
		return err
	}
	for _, name := range published {
		releases = append(releases, releaseNamed(name))
	}
	for _, o := range releases {
		if err := s.client.Create(ctx, o); client.IgnoreAlreadyExists(err) != nil {
			return err
		}
	}
	if _, err := s.releases.Reconcile(ctx, ctrl.Request{}); err != nil {
		return err
	}
	return eventually(ctx, func() error {
		return errors.Join(
			s.expectOffer(ctx, "1.37.1-1", nil),
			s.expectOffer(ctx, unreleased, says("is not offered", published[0])),
			s.expectReleasesFrozen(ctx),
		)
	})
}

// expectOffer is nil if creating a cluster of the version ends as wanted. It
// creates none.
func (s *server) expectOffer(ctx context.Context, version string, want []string) error {
	err := s.client.Create(ctx, object("Cluster", newName(), fmt.Sprintf("{version: %s}", version)), client.DryRunAll)
	switch {
	case want == nil:
		return err
	case err == nil:
		return fmt.Errorf("a cluster of %s can be created, want a refusal that says %q", version, want)
	}
	for _, words := range want {
		if !strings.Contains(err.Error(), words) {
			return fmt.Errorf("creating a cluster of %s: %w, want it to say %q", version, err, words)
		}
	}
	return nil
}

// expectReleasesFrozen is nil if the policy on releases is enforced.
func (s *server) expectReleasesFrozen(ctx context.Context) error {
	o := releaseNamed(published[0])
	err := s.client.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(`{"spec": {"kubeletConfiguration": {"kind": null, "other": 1}}}`)), client.DryRunAll)
	if err == nil {
		return errors.New("a release can be changed, want that refused")
	}
	if apierrors.IsInvalid(err) {
		return nil
	}
	return err
}

// publish reconciles what is offered with the releases that exist.
func publish(t testing.TB, s *server) {
	t.Helper()
	if _, err := s.releases.Reconcile(t.Context(), ctrl.Request{}); err != nil {
		t.Fatal(err)
	}
}

func await(t testing.TB, holds func() error) {
	t.Helper()
	if err := eventually(t.Context(), holds); err != nil {
		t.Error(err)
	}
}

func TestRule13AVersionThatIsNotOfferedIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		offer := &corev1.ConfigMap{}
		if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: cluster.OfferedReleases}, offer); err != nil {
			t.Fatal(err)
		}
		offered := slices.Sorted(maps.Keys(offer.Data))
		list := says("version "+unreleased+" is not offered", "choose one of "+strings.Join(offered, ", "), "kubectl get kubernetesreleases")
		t.Run("Create", func(t *testing.T) {
			judge(t, s.client.Create(t.Context(), object("Cluster", newName(), "{version: "+unreleased+"}"), user), list)
		})
		t.Run("CreateByApply", func(t *testing.T) {
			judge(t, apply(t.Context(), s, object("Cluster", newName(), "{version: "+unreleased+"}")), list)
		})
		for way, write := range writes {
			t.Run("ChangeBy"+way, func(t *testing.T) {
				was := applied(t, s, object("Cluster", newName(), valid))
				setStatus(t, s, was, `{"phase": "Active", "accepted": {"version": "1.37.1-1"}}`)
				judge(t, write(t.Context(), s, live(t, s, was), "{version: "+unreleased+"}"), list)
			})
		}
		t.Run("MalformedOnesAreRefusedByTheirSpelling", func(t *testing.T) {
			judge(t, s.client.Create(t.Context(), object("Cluster", newName(), "{version: 1.37.1}"), user), says("MAJOR.MINOR.PATCH-BUILD"))
		})
	})
}

func TestOfferFollowsTheReleases(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		ctx := t.Context()
		const version = "1.37.77-1"
		judge(t, s.expectOffer(ctx, version, says("is not offered")), nil)

		release := made(t, s, releaseNamed(version))
		publish(t, s)
		await(t, func() error { return s.expectOffer(ctx, version, nil) })
		o := made(t, s, object("Cluster", newName(), "{version: "+version+"}"))

		if err := s.client.Delete(ctx, release); err != nil {
			t.Fatal(err)
		}
		publish(t, s)
		await(t, func() error { return s.expectOffer(ctx, version, says(version+" is not offered")) })

		// A cluster that has the version goes on, and so does its controller.
		for way, write := range writes {
			judge(t, write(ctx, s, live(t, s, o), fmt.Sprintf("{version: %s, access: {certSANs: [%s.example.com]}}", version, strings.ToLower(way))), nil)
		}
		setStatus(t, s, o, `{"phase": "Active", "accepted": {"version": "`+version+`"}}`)
	})
}

// TestNothingIsOffered takes what is published away: first the releases, then the
// ConfigMap. Without it nobody knows what is offered, so nothing is.
func TestNothingIsOffered(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		ctx := t.Context()
		t.Cleanup(func() {
			if err := s.publishAll(context.Background()); err != nil {
				t.Error(err)
			}
		})
		if err := s.client.DeleteAllOf(ctx, &v1alpha1.KubernetesRelease{}); err != nil {
			t.Fatal(err)
		}
		publish(t, s)
		await(t, func() error {
			return s.expectOffer(ctx, "1.37.1-1", says("1.37.1-1 is not offered", "the platform has published no KubernetesRelease"))
		})

		published := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: cluster.OfferedReleases}}
		if err := s.client.Delete(ctx, published); err != nil {
			t.Fatal(err)
		}
		// These words are the API server's.
		await(t, func() error {
			return s.expectOffer(ctx, "1.37.1-1", says("offered-releases.marina.dev", "no params found"))
		})
	})
}

// A message has at most 5 KiB. With more releases than that it names the command
// that lists them.
func TestOfferThatIsTooLongForAMessage(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		ctx := t.Context()
		o := &corev1.ConfigMap{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: cluster.OfferedReleases}, o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(s.client.Delete(context.Background(), o), s.publishAll(context.Background())); err != nil {
				t.Error(err)
			}
		})
		for i := range 1000 {
			o.Data[fmt.Sprintf("1.37.%d-1", i)] = "v1.37.1"
		}
		if err := s.client.Update(ctx, o); err != nil {
			t.Fatal(err)
		}
		await(t, func() error { return s.expectOffer(ctx, "1.37.999-1", nil) })
		judge(t, s.client.Create(ctx, object("Cluster", newName(), "{version: "+unreleased+"}"), user),
			says("is not offered", "kubectl get kubernetesreleases"))
	})
}
