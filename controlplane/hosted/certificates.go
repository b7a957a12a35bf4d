package hosted

import (
	"net/netip"
	"slices"
	"time"

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
		serviceIP.String(), api.Exposed[component.PortHTTPS].Host, api.Internal[component.PortHTTPS].Host,
	}
	if throughKonnectivity(hcp) {
		hosts = append(hosts, api.Internal[component.AddressAnyAPIServer].Host)
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
	all := []certificate{
		{v1alpha1.SecretAPIServerServing, v1alpha1.SecretCA, pki.Request{
			CommonName: "kube-apiserver", DNSNames: slices.Compact(names), IPs: slices.Compact(ips), Usage: pki.ServerAuth}},
		{v1alpha1.SecretAPIServerKubeletClient, v1alpha1.SecretCA, pki.Request{CommonName: addon.KubeletClientUser, Usage: pki.ClientAuth}},
		{v1alpha1.SecretFrontProxyClient, v1alpha1.SecretFrontProxyCA, pki.Request{CommonName: "front-proxy-client", Usage: pki.ClientAuth}},
		{v1alpha1.SecretControllerManagerClient, v1alpha1.SecretCA, controller(component.NameControllerManager)},
		{v1alpha1.SecretSchedulerClient, v1alpha1.SecretCA, controller(component.NameScheduler)},
	}
	for i := range all {
		all[i].request.IssuedSince = askedSince(hcp)
	}
	if throughKonnectivity(hcp) {
		all = append(all, certificate{v1alpha1.SecretKonnectivityServer, v1alpha1.SecretCA, konnectivityRequest(api)})
	}
	return all, nil
}

// askedSince is the time since which certificates are to have been issued; zero for
// any.
func askedSince(hcp *v1alpha1.HostedControlPlane) time.Time {
	if asked := hcp.Spec.CertificatesNotBefore; asked != nil {
		return asked.Truncate(time.Second)
	}
	return time.Time{}
}
