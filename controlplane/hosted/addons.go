package hosted

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
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
	"github.com/marina-dev/marina/pkg/release"
)

// addonWriters is how many objects are applied at once.
const addonWriters = 8

// applyAddons applies what every tenant needs, when it differs from what has been
// applied or somebody has changed it. It also keeps the connection to the tenant, over
// which nodes that want to join are approved.
func (r *Reconciler) applyAddons(ctx context.Context, s *scope) error {
	err := r.applyAddonSet(ctx, s)
	s.facts.addonsErr = err
	return err
}

func (r *Reconciler) applyAddonSet(ctx context.Context, s *scope) error {
	tenant, err := r.tenant(s)
	if err != nil {
		return err
	}
	// Within the hour, because timers do not notice a clock that jumps.
	s.again = reconcile.Earliest(s.again, min(max(tenant.renewAt.Sub(r.Now()), time.Second), time.Hour))

	in, err := s.addonInputs()
	if err != nil {
		return err
	}
	if in.PullSecret, err = r.addonPullSecret(ctx, s.hcp); err != nil {
		return err
	}
	set, err := addon.Compute(in)
	if err != nil {
		return reconcile.UserError("InvalidRelease", "%v", err)
	}
	status := &s.hcp.Status
	s.facts.agents = tenant.keeper.agents()
	want := set.Hash()
	if status.AppliedAddons == want && status.KeptAddons != "" && !resyncs(s.hcp) && !tenant.keeper.drifted() {
		tenant.keeper.keep(set, status.KeptAddons)
		return nil
	}
	kept, err := applySet(ctx, tenant.client, set, status.AppliedAddons != "")
	if err != nil {
		failed := &reconcile.Error{Kind: reconcile.KindRetry, Reason: "TenantUnreachable",
			Message: fmt.Sprintf("applying what the tenant needs: %v", err), Err: err}
		if status.AppliedAddons == "" {
			// A new API server is about to be ready. Later the queue waits longer each
			// time: what fails may be the tenant's doing.
			failed.After = 500 * time.Millisecond
		}
		return failed
	}
	s.facts.addons, s.facts.kept = want, kept
	tenant.keeper.applied(set, kept)
	return nil
}

// addonInputs are what the tenant's objects depend on.
func (s *scope) addonInputs() (addon.Inputs, error) {
	version, err := release.Parse(s.release.Name)
	if err != nil {
		return addon.Inputs{}, reconcile.UserError("InvalidRelease", "%v", err)
	}
	in := addon.Inputs{
		KubernetesVersion:    version.Kubernetes(),
		Server:               s.exposed().URL(),
		CACert:               s.ca().CertPEM,
		Network:              s.hcp.Spec.Network,
		KubeletConfiguration: s.release.Spec.KubeletConfiguration,
		Addons:               s.hcp.Spec.Addons,
		Versions:             s.release.Spec.Addons,
		Registry:             s.hcp.Spec.Registry,
	}
	if throughKonnectivity(s.hcp) {
		in.Konnectivity = s.addresses[component.NameAPIServer].Exposed[component.PortKonnectivity].String()
	}
	return in, nil
}

// applySet makes a tenant have what it is to have, and returns the digest of what
// Marina owns of that. Only a tenant that had something before has something obsolete.
func applySet(ctx context.Context, c client.Client, set addon.Set, before bool) (string, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(addonWriters)
	owned := make([]string, len(set.Reconcile))
	for i, object := range set.Reconcile {
		group.Go(func() error {
			live, err := reconcile.Applied(ctx, c, object)
			if err == nil {
				owned[i] = ownedFields(live)
			}
			return err
		})
	}
	for _, object := range set.EnsureExists {
		group.Go(func() error {
			_, err := reconcile.CreateIfAbsent(ctx, c, object.DeepCopyObject().(client.Object))
			return err
		})
	}
	if before {
		group.Go(func() error { return deleteObsolete(ctx, c, set.Obsolete) })
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	return digest(set, func(i int) string { return owned[i] }), nil
}

// deleteObsolete deletes what is there and is Marina's.
func deleteObsolete(ctx context.Context, c client.Client, obsolete []client.Object) error {
	found, err := listManaged(ctx, c, obsolete, nil)
	if err != nil {
		return err
	}
	for _, object := range obsolete {
		live, ok := found[idOf(object)]
		if !ok {
			continue
		}
		uid := live.GetUID()
		if err := client.IgnoreNotFound(c.Delete(ctx, live, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))); err != nil {
			return err
		}
	}
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
	names, ips := pki.SplitHosts(s.hcp.Spec.CertSANs)
	services, err := netip.ParsePrefix(s.hcp.Spec.Network.ServiceCIDR)
	if err != nil {
		return nil, reconcile.UserError("InvalidNetwork", "%v", err)
	}
	reserved := join.Reserved{Names: append(names, s.exposed().Host, s.internal().Host), Prefixes: []netip.Prefix{services}}
	if s.hcp.Spec.Exposure.Type != v1alpha1.ExposureHost {
		// On one machine nodes have its address too.
		exposed := s.addresses[component.NameAPIServer].Exposed
		for _, port := range slices.Sorted(maps.Keys(exposed)) {
			if ip, err := netip.ParseAddr(exposed[port].Host); err == nil {
				ips = append(ips, ip)
			} else {
				reserved.Names = append(reserved.Names, exposed[port].Host)
			}
		}
	}
	for _, ip := range ips {
		reserved.Prefixes = append(reserved.Prefixes, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return r.tenants.ensure(client.ObjectKeyFromObject(s.hcp), s.internal().URL(), s.ca(), reserved, r.Now())
}
