package hosted

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/addon"
	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/join"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// addonWriters is how many objects are applied at once.
const addonWriters = 8

// applyAddons applies what every tenant needs, when it differs from what has been
// applied. It also keeps the connection to the tenant, over which nodes that want
// to join are approved.
func (r *Reconciler) applyAddons(ctx context.Context, s *scope) error {
	err := r.applyAddonObjects(ctx, s)
	s.facts.addonsErr = err
	return err
}

func (r *Reconciler) applyAddonObjects(ctx context.Context, s *scope) error {
	ca := s.ca()
	api := s.addresses[component.NameAPIServer]
	tenant, err := r.tenant(s)
	if err != nil {
		return err
	}
	// Within the hour, because timers do not notice a clock that jumps.
	s.again = reconcile.Earliest(s.again, min(max(tenant.renewAt.Sub(r.Now()), time.Second), time.Hour))

	objects, err := addon.Objects(addon.Inputs{
		KubernetesVersion:    s.inputs.Kubernetes,
		Server:               endpoint(api),
		CACert:               ca.CertPEM,
		Network:              s.hcp.Spec.Network,
		KubeletConfiguration: s.release.Spec.KubeletConfiguration,
	})
	if err != nil {
		return reconcile.UserError("InvalidRelease", "%v", err)
	}
	service, err := addon.KubernetesService(api.Host, int32(api.Port))
	if err != nil {
		return err
	}
	objects = append(objects, service...)

	want := addon.Hash(objects)
	if s.hcp.Status.AppliedAddons == want && s.hcp.Status.Resynced == s.hcp.Spec.Resync {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(addonWriters)
	for _, object := range objects {
		group.Go(func() error { return reconcile.Apply(ctx, tenant.client, object) })
	}
	if err := group.Wait(); err != nil {
		return &reconcile.Error{Kind: reconcile.KindRetry, Reason: "TenantUnreachable", After: 500 * time.Millisecond,
			Message: fmt.Sprintf("applying what the tenant needs: %v", err), Err: err}
	}
	s.facts.addons = want
	return nil
}

// awaitLeaders waits until a controller-manager leads: from then on certificates
// are signed, so that a node can join. A control plane that has been ready is not
// asked again: the leader election looks after itself.
func (r *Reconciler) awaitLeaders(ctx context.Context, s *scope) error {
	if s.hcp.Status.Version != "" {
		return nil
	}
	tenant, err := r.tenant(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, name := range []string{component.NameControllerManager, component.NameScheduler} {
		lease, err := tenant.kube.CoordinationV1().Leases("kube-system").Get(ctx, name, metav1.GetOptions{})
		if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
			return reconcile.WaitFor(200*time.Millisecond, "WaitingForLeader", "no %s leads yet", name)
		}
	}
	return nil
}

// ca is the tenant's CA.
func (s *scope) ca() pki.KeyPair {
	ca, _ := pki.FromSecretData(s.secrets[v1alpha1.SecretCA])
	return ca
}

// tenant is the connection to the tenant. No node may serve under the names of the
// API server or under the address of a service.
func (r *Reconciler) tenant(s *scope) (*tenant, error) {
	api := s.addresses[component.NameAPIServer]
	names, ips := pki.SplitHosts(s.hcp.Spec.CertSANs)
	services, err := netip.ParsePrefix(s.hcp.Spec.Network.ServiceCIDR)
	if err != nil {
		return nil, reconcile.UserError("InvalidNetwork", "%v", err)
	}
	reserved := join.Reserved{Names: append(names, api.Host), Prefixes: []netip.Prefix{services}}
	for _, ip := range ips {
		reserved.Prefixes = append(reserved.Prefixes, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return r.tenants.ensure(client.ObjectKeyFromObject(s.hcp), endpoint(api), s.ca(), reserved, r.Now())
}
