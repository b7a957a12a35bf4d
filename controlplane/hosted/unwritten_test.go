package hosted

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// TestARenewalThatCannotBeWritten is none: what was written is told of, and the rest
// is decided again.
func TestARenewalThatCannotBeWritten(t *testing.T) {
	for name, broken := range map[string]error{"the API fails": errors.New("time-out"), "the process dies": context.Canceled} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			p.mustPass()
			first := p.certificates()
			p.now = noon.Add(twoThirds)
			const refused = "kube-apiserver-serving"
			err := p.pass(interceptor.NewClient(p.api, interceptor.Funcs{
				Apply: func(ctx context.Context, api client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
					if named, ok := obj.(interface{ GetName() string }); ok && named.GetName() == refused {
						return broken
					}
					return api.Apply(ctx, obj, opts...)
				},
			}))
			if !errors.Is(err, broken) {
				t.Fatalf("the pass came to %v, want it to fail", err)
			}
			others := slices.DeleteFunc(slices.Clone(leafNames), func(n string) bool { return n == refused })
			if got := p.replaced(first); !slices.Equal(got, others) {
				t.Errorf("replaced %q, want all but the one that could not be written", got)
			}
			status := p.hcp().Status.Certificates
			if got := p.told(); len(got) != 4 || strings.Contains(strings.Join(got, ""), refused) || strings.Contains(status.Renewed, refused) {
				t.Errorf("told %q, and %q in the status; want the four that were written", got, status.Renewed)
			}
			second := p.certificates()
			p.mustPass()
			if got := p.replaced(second); !slices.Equal(got, []string{refused}) {
				t.Errorf("the next pass replaced %q, want the one that is left", got)
			}
			if got := p.told(); len(got) != 1 || !strings.Contains(got[0], refused+": ExpiresSoon") {
				t.Errorf("told %q, want the one that was left", got)
			}
		})
	}
}

// TestACacheThatIsBehind shows renewed certificates as they were before: renewing them
// once more would replace pairs that have just been handed out.
func TestACacheThatIsBehind(t *testing.T) {
	p := newPlane(t)
	p.mustPass()
	old := &corev1.SecretList{}
	if err := p.api.List(context.Background(), old); err != nil {
		t.Fatal(err)
	}
	p.now = noon.Add(twoThirds)
	p.mustPass()
	p.told()
	renewed, before := p.certificates(), p.hcp().Status.Certificates
	if err := p.pass(interceptor.NewClient(p.api, interceptor.Funcs{
		List: func(ctx context.Context, api client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if secrets, ok := list.(*corev1.SecretList); ok {
				old.DeepCopyInto(secrets)
				return nil
			}
			return api.List(ctx, list, opts...)
		},
	})); err != nil {
		t.Fatal(err)
	}
	if got := p.replaced(renewed); len(got) > 0 || len(p.told()) > 0 || !cmp.Equal(before, p.hcp().Status.Certificates) {
		t.Errorf("%q were renewed once more", got)
	}
	if p.again > time.Second {
		t.Errorf("it looks again after %s, want soon", p.again)
	}
}

// TestAResyncWritesWhatSeemsToBeInPlace, and renews nothing.
func TestAResyncWritesWhatSeemsToBeInPlace(t *testing.T) {
	p := newPlane(t)
	p.mustPass()
	first := p.certificates()
	spoilt := p.secrets()["kube-apiserver-serving"]
	spoilt.OwnerReferences, spoilt.Labels = nil, nil
	p.update(spoilt)
	p.mustPass()
	if got := p.secrets()[spoilt.Name]; len(got.OwnerReferences) > 0 {
		t.Fatal("a Secret was written whose content is as it should be")
	}
	hcp := p.hcp()
	hcp.Spec.Resync = "token"
	p.update(hcp)
	p.mustPass()
	if got := p.secrets()[spoilt.Name]; len(got.OwnerReferences) != 1 || got.Labels["marina.dev/shard"] != "default" {
		t.Errorf("owners %v, labels %v; want them to be back", got.OwnerReferences, got.Labels)
	}
	if got := p.replaced(first); len(got) > 0 || len(p.told()) > 0 {
		t.Errorf("%q were renewed", got)
	}
}
