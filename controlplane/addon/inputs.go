package addon

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Inputs are what the objects of one tenant are computed from.
type Inputs struct {
	// KubernetesVersion is the upstream version with its v, for example v1.37.1.
	KubernetesVersion string
	// Server is the URL under which nodes reach the API server, https://host:port.
	Server string
	// CACert is the tenant's CA, PEM. While it is rotated it holds two.
	CACert []byte
	// Network is the tenant's, with its defaults filled in.
	Network v1alpha1.NetworkSpec
	// Addons tells what else is wanted, Versions of what version it is, and Registry what
	// the names of its images begin with (empty: what 'make images' calls them).
	Addons   v1alpha1.AddonsSpec
	Versions v1alpha1.ReleaseAddons
	Registry string
	// PullSecret is a .dockerconfigjson for these images, nil for none.
	PullSecret []byte
	// Konnectivity is where agents reach the konnectivity servers, host:port; empty where
	// the API servers reach nodes directly.
	Konnectivity string
	// KubeletConfiguration holds the release's defaults, a KubeletConfiguration of
	// kubelet.config.k8s.io/v1beta1.
	KubeletConfiguration runtime.RawExtension
}

// checked is Inputs with the parts that several objects need worked out.
type checked struct {
	Inputs
	// endpoint is Server without its scheme: host:port, and host and port the two.
	endpoint   string
	host, port string
	dns        netip.Addr
}

// check refuses what would only fail on the nodes, where nobody looks.
func (in Inputs) check() (checked, error) {
	out := checked{Inputs: in}
	if v, err := version.ParseSemantic(in.KubernetesVersion); err != nil || in.KubernetesVersion != "v"+v.String() {
		return out, fmt.Errorf("version %q: write Kubernetes versions as v1.37.1", in.KubernetesVersion)
	}
	server, err := url.Parse(in.Server)
	if err != nil || server.Scheme != "https" || server.Hostname() == "" || server.Port() == "" || server.Path != "" {
		return out, fmt.Errorf("server %q: write it as https://host:port", in.Server)
	}
	out.endpoint, out.host, out.port = server.Host, server.Hostname(), server.Port()
	if err := checkCertificates(in.CACert); err != nil {
		return out, fmt.Errorf("CA: %w", err)
	}
	if out.dns, err = ClusterDNSIP(in.Network.ServiceCIDR); err != nil {
		return out, err
	}
	if _, err := netip.ParsePrefix(in.Network.PodCIDR); err != nil {
		return out, fmt.Errorf("podCIDR: %w", err)
	}
	if in.Network.DNSDomain == "" {
		return out, errors.New("dnsDomain is empty: the default is cluster.local")
	}
	for _, wanted := range []struct {
		what, version string
		wanted        bool
	}{
		{"CoreDNS", in.Versions.CoreDNS, in.Addons.CoreDNS != v1alpha1.AddonNone},
		{"Konnectivity", in.Versions.Konnectivity, in.Konnectivity != ""},
	} {
		if wanted.wanted && wanted.version == "" {
			return out, fmt.Errorf("addons: the release names no version of %s: publish one that does, or a HostingClass without it", wanted.what)
		}
	}
	if in.Konnectivity != "" {
		if _, _, err := net.SplitHostPort(in.Konnectivity); err != nil {
			return out, fmt.Errorf("konnectivity: %w", err)
		}
	}
	return out, nil
}

// checkCertificates makes sure that data holds certificates and nothing else:
// cluster-info is readable by strangers, and a private key must never get there.
func checkCertificates(data []byte) error {
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("contains a block of type %q: give certificates only", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return errors.New("no PEM certificate found")
	}
	return nil
}
