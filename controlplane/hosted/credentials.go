package hosted

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/addon"
	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// certificate is one key pair that a control plane needs.
type certificate struct {
	secret, ca string
	request    pki.Request
}

// certificates are all of them. The API server's is valid for every name that a
// client may use: inside the cluster, at its balanced and at its own addresses.
func certificates(hcp *v1alpha1.HostedControlPlane, api component.Addresses) ([]certificate, error) {
	serviceIP, err := addon.ServiceIP(hcp.Spec.Network.ServiceCIDR, 1)
	if err != nil {
		return nil, reconcile.UserError("InvalidNetwork", "%v", err)
	}
	hosts := []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc." + hcp.Spec.Network.DNSDomain, "localhost",
		serviceIP.String(), api.Host,
	}
	for _, replica := range api.Replicas {
		hosts = append(hosts, replica[component.PortHTTPS].Host)
	}
	names, ips := pki.SplitHosts(append(hosts, hcp.Spec.CertSANs...))
	slices.Sort(names)
	slices.SortFunc(ips, netip.Addr.Compare)

	// The health and metrics endpoint of a controller is served with its own pair,
	// which saves it an RSA key at every start.
	controller := func(name string) pki.Request {
		return pki.Request{CommonName: "system:" + name, DNSNames: []string{name}, Usage: pki.ServerAuth | pki.ClientAuth}
	}
	return []certificate{
		{v1alpha1.SecretAPIServerServing, v1alpha1.SecretCA, pki.Request{
			CommonName: "kube-apiserver", DNSNames: slices.Compact(names), IPs: slices.Compact(ips), Usage: pki.ServerAuth}},
		{v1alpha1.SecretAPIServerKubeletClient, v1alpha1.SecretCA, pki.Request{CommonName: addon.KubeletClientUser, Usage: pki.ClientAuth}},
		{v1alpha1.SecretFrontProxyClient, v1alpha1.SecretFrontProxyCA, pki.Request{CommonName: "front-proxy-client", Usage: pki.ClientAuth}},
		{v1alpha1.SecretControllerManagerClient, v1alpha1.SecretCA, controller(component.NameControllerManager)},
		{v1alpha1.SecretSchedulerClient, v1alpha1.SecretCA, controller(component.NameScheduler)},
	}, nil
}

// ensureCredentials makes what is missing and renews what falls due. Keys are made
// once: what exists is never replaced but by the renewal policies.
//
// What the rest depends on is written first. A cache that is behind must not make a
// second CA, in memory, that certificates are then signed with.
func (r *Reconciler) ensureCredentials(ctx context.Context, s *scope) error {
	stored, err := r.storedSecrets(ctx, s.hcp.Namespace)
	if err != nil {
		return err
	}
	roots, err := s.rootSecrets(stored, r.Now())
	if err != nil {
		return err
	}
	if err := r.writeSecrets(ctx, s.hcp, roots, stored); err != nil {
		return err
	}
	leaves, renewAt, err := s.leafSecrets(roots, stored, r.Now())
	if err != nil {
		return err
	}
	if err := r.writeSecrets(ctx, s.hcp, leaves, stored); err != nil {
		return err
	}
	s.secrets = roots
	s.again = reconcile.Earliest(s.again, max(renewAt.Sub(r.Now()), time.Minute))
	return r.ensureConfigMaps(ctx, s)
}

// writeSecrets writes those that differ from what is stored, all at once.
func (r *Reconciler) writeSecrets(ctx context.Context, hcp *v1alpha1.HostedControlPlane, want, stored secrets) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, data := range want {
		if old, exists := stored[name]; !exists || !maps.EqualFunc(old, data, bytes.Equal) {
			group.Go(func() error { return r.writeSecret(ctx, hcp, name, data, exists) })
		}
	}
	return group.Wait()
}

// storedSecrets are the Secrets of a management namespace, by name.
func (r *Reconciler) storedSecrets(ctx context.Context, namespace string) (secrets, error) {
	list := &corev1.SecretList{}
	if err := r.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	stored := make(secrets, len(list.Items))
	for _, secret := range list.Items {
		stored[secret.Name] = secret.Data
	}
	return stored, nil
}

// writeSecret creates a Secret, or updates one that exists. To create one that
// exists already is a sign that the cache is behind: what is stored wins, since
// another key may be in use, and the next pass sees it.
func (r *Reconciler) writeSecret(ctx context.Context, hcp *v1alpha1.HostedControlPlane, name string, data map[string][]byte, exists bool) error {
	secret := &corev1.Secret{ObjectMeta: ownedMeta(hcp, name), Data: data}
	if exists {
		return reconcile.Apply(ctx, r.Client, secret)
	}
	created, err := reconcile.CreateIfAbsent(ctx, r.Client, secret)
	if err == nil && !created {
		return reconcile.WaitFor(100*time.Millisecond, "CacheBehind", "Secret %s exists but is not seen yet", name)
	}
	return err
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
	if err == nil && reconcile.Same(want, live, want.Data, live.Data) {
		return nil
	}
	return reconcile.Apply(ctx, r.Client, want)
}

func ownedMeta(hcp *v1alpha1.HostedControlPlane, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:       hcp.Namespace,
		Name:            name,
		Labels:          labelsOf(hcp),
		OwnerReferences: []metav1.OwnerReference{ownerOf(hcp)},
	}
}

// endpoint is the URL that clients use.
func endpoint(api component.Addresses) string {
	return fmt.Sprintf("https://%s:%d", api.Host, api.Port)
}
