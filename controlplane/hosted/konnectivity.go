package hosted

import (
	"context"
	"fmt"
	"slices"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/kubeconfig"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// throughKonnectivity reports whether the API servers reach nodes through agents.
func throughKonnectivity(hcp *v1alpha1.HostedControlPlane) bool {
	return hcp.Spec.NodeAccess == v1alpha1.NodeAccessKonnectivity
}

// konnectivityRequest is the pair with which a konnectivity server serves agents and
// asks the API server about their tokens.
//
// The server reads it only when it starts, so that another pair means a roll of the API
// servers. It therefore lives as long as the CA, and a rotation of certificates on
// request, which restarts nothing, leaves it out.
func konnectivityRequest(api component.Addresses) pki.Request {
	hosts := []string{api.Exposed[component.PortKonnectivity].Host, api.Internal[component.PortKonnectivity].Host}
	slices.Sort(hosts)
	names, ips := pki.SplitHosts(slices.Compact(hosts))
	return pki.Request{
		CommonName: v1alpha1.KonnectivityServerUser, DNSNames: names, IPs: ips,
		Usage: pki.ServerAuth | pki.ClientAuth, Validity: pki.CAValidity,
	}
}

// konnectivityFiles are what the API server and the konnectivity server read, besides
// the pair.
func konnectivityFiles(api component.Addresses) map[string]string {
	// Encode fails only for a kubeconfig that names unknown types.
	config, err := kubeconfig.Encode(kubeconfig.ByFiles(api.Internal[component.AddressAnyAPIServer].URL()))
	if err != nil {
		panic(err)
	}
	return map[string]string{v1alpha1.KeyEgressSelector: component.EgressSelector, v1alpha1.KeyKubeconfig: string(config)}
}

// konnectivityHash changes with what makes running konnectivity servers wrong: another
// pair, which is issued long before the old one ends, another CA, which agents and the
// API server trust, another address, or other files.
func (s *scope) konnectivityHash() string {
	api := s.addresses[component.NameAPIServer]
	request := konnectivityRequest(api)
	content := map[string][]byte{
		"ca":    s.ca().CertPEM,
		"pair":  s.secrets[v1alpha1.SecretKonnectivityServer][pki.CertKey],
		"hosts": fmt.Append(nil, request.DNSNames, request.IPs),
	}
	for name, data := range konnectivityFiles(api) {
		content[name] = []byte(data)
	}
	return hash(content)
}

// konnectivityVersion is the version of the konnectivity server in a release.
func (r *Reconciler) konnectivityVersion(ctx context.Context, of string) (string, error) {
	release, err := r.releaseNamed(ctx, of)
	if err != nil {
		return "", err
	}
	if release.Spec.Addons.Konnectivity == "" {
		return "", reconcile.UserError("InvalidRelease",
			"KubernetesRelease %s names no version of Konnectivity: choose another one, or a HostingClass with nodeAccess Direct", of)
	}
	return release.Spec.Addons.Konnectivity, nil
}
