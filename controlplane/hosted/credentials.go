package hosted

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ensureCredentials makes what is missing and renews what falls due or is asked
// for. Keys are made once: what exists is never replaced but by the renewal policies.
//
// What the rest depends on is written first. A cache that is behind must not make a
// second CA, in memory, that certificates are then signed with.
func (r *Reconciler) ensureCredentials(ctx context.Context, s *scope) error {
	now := r.Now()
	live, err := r.liveSecrets(ctx, s.hcp.Namespace)
	if err != nil {
		return err
	}
	stored := dataOf(live)
	roots, err := s.rootSecrets(stored, now)
	if err != nil {
		s.certificatesFailed(err)
		return err
	}
	if _, err := r.writeSecrets(ctx, s.hcp, roots, live); err != nil {
		return err
	}
	leaves, leafErr := s.leafSecrets(roots, stored, now)
	want := secrets{}
	for name, leaf := range leaves {
		want[name] = leaf.Data
	}
	written, err := r.writeSecrets(ctx, s.hcp, want, live)
	s.facts.written = len(written) > 0
	r.reportRenewals(s.hcp, leaves, written, now)
	if err != nil {
		return err
	}
	if leafErr != nil {
		s.certificatesFailed(leafErr)
		s.lookAgain(leaves, now)
		return leafErr
	}
	s.reportCertificates(roots, leaves, stored[v1alpha1.SecretEtcdClient], now)
	s.secrets = roots
	s.secrets[v1alpha1.SecretKonnectivityServer] = leaves[v1alpha1.SecretKonnectivityServer].Data
	return r.ensureConfigMaps(ctx, s)
}

// writeSecrets writes those that differ from what is there, or all for a resync, at
// once, and returns which it has written, also when it failed at others.
func (r *Reconciler) writeSecrets(ctx context.Context, hcp *v1alpha1.HostedControlPlane, want secrets, live map[string]*corev1.Secret) ([]string, error) {
	var mu sync.Mutex
	var written []string
	// One that fails does not stop the others.
	var group errgroup.Group
	for name, data := range want {
		if old := live[name]; old == nil || resyncs(hcp) || !maps.EqualFunc(old.Data, data, bytes.Equal) {
			group.Go(func() error {
				if err := r.writeSecret(ctx, hcp, name, data, old); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				written = append(written, name)
				return nil
			})
		}
	}
	err := group.Wait()
	slices.Sort(written)
	return written, err
}

// liveSecrets are the Secrets of a management namespace, by name.
func (r *Reconciler) liveSecrets(ctx context.Context, namespace string) (map[string]*corev1.Secret, error) {
	list := &corev1.SecretList{}
	if err := r.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	live := make(map[string]*corev1.Secret, len(list.Items))
	for i := range list.Items {
		live[list.Items[i].Name] = &list.Items[i]
	}
	return live, nil
}

// storedSecrets is what the Secrets of a management namespace hold.
func (r *Reconciler) storedSecrets(ctx context.Context, namespace string) (secrets, error) {
	live, err := r.liveSecrets(ctx, namespace)
	return dataOf(live), err
}

// dataOf is what Secrets hold.
func dataOf(live map[string]*corev1.Secret) secrets {
	data := make(secrets, len(live))
	for name, secret := range live {
		data[name] = secret.Data
	}
	return data
}

// writeSecret creates a Secret, or updates the one that exists. That one exists
// already, or is another one by now, is a sign that the cache is behind: what is
// stored wins, since that key may be in use, and the next pass sees it.
func (r *Reconciler) writeSecret(ctx context.Context, hcp *v1alpha1.HostedControlPlane, name string, data map[string][]byte, live *corev1.Secret) error {
	secret := &corev1.Secret{ObjectMeta: ownedMeta(hcp, name), Data: data}
	if live == nil {
		if created, err := reconcile.CreateIfAbsent(ctx, r.Client, secret); created || err != nil {
			return err
		}
	} else {
		secret.ResourceVersion = live.ResourceVersion
		if err := reconcile.Apply(ctx, r.Client, secret); !apierrors.IsConflict(err) {
			return err
		}
	}
	return reconcile.WaitFor(100*time.Millisecond, "CacheBehind", "Secret %s is not yet seen as it is", name)
}

func (r *Reconciler) ensureConfigMaps(ctx context.Context, s *scope) error {
	for name, data := range desiredConfigMaps(s) {
		if err := r.ensureConfigMap(ctx, s.hcp, name, data); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) ensureConfigMap(ctx context.Context, hcp *v1alpha1.HostedControlPlane, name string, data map[string]string) error {
	want := &corev1.ConfigMap{ObjectMeta: ownedMeta(hcp, name), Data: data}
	live := &corev1.ConfigMap{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(want), live)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil && !resyncs(hcp) && reconcile.Same(want, live, want.Data, live.Data) {
		return nil
	}
	return reconcile.Apply(ctx, r.Client, want)
}

// resyncs reports whether everything is to be written, whether or not it seems to be
// in place.
func resyncs(hcp *v1alpha1.HostedControlPlane) bool { return hcp.Status.Resynced != hcp.Spec.Resync }

func ownedMeta(hcp *v1alpha1.HostedControlPlane, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:       hcp.Namespace,
		Name:            name,
		Labels:          labelsOf(hcp),
		OwnerReferences: []metav1.OwnerReference{ownerOf(hcp)},
	}
}

// exposed is where tenants and their nodes reach the API servers, and internal where
// what is hosted beside them does.
func (s *scope) exposed() component.HostPort {
	return s.addresses[component.NameAPIServer].Exposed[component.PortHTTPS]
}

func (s *scope) internal() component.HostPort {
	return s.addresses[component.NameAPIServer].Internal[component.PortHTTPS]
}
