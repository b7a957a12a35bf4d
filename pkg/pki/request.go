package pki

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Usage says what a certificate is for. Usages are combined with |.
type Usage uint8

const (
	// ServerAuth lets the holder serve TLS under the request's names and addresses.
	ServerAuth Usage = 1 << iota
	// ClientAuth lets the holder authenticate as the request's common name and organizations, which
	// Kubernetes takes for user and groups.
	ClientAuth
)

// Request describes a certificate to be issued.
type Request struct {
	// CommonName is never empty. It is the user name of a client certificate.
	CommonName string
	// Organization holds the groups of a client certificate.
	Organization []string
	// DNSNames are the host names of a server: lower-case RFC 1123 names, with a leading "*." at most.
	DNSNames []string
	// IPs are the addresses of a server.
	IPs []netip.Addr
	// Usage is at least one of ServerAuth and ClientAuth.
	Usage Usage
	// Validity is counted from the moment of issue. Zero means LeafValidity.
	Validity time.Duration
	// IssuedSince is the time from which on a certificate must have been issued, to the second: somebody
	// has asked for those of before to be replaced. Zero takes any.
	IssuedSince time.Time
}

// RequestError says which field of a request is wrong. The value usually comes from a user.
type RequestError struct {
	Field   string
	Problem string
}

func (e *RequestError) Error() string {
	return fmt.Sprintf("certificate request: %s: %s", e.Field, e.Problem)
}

// Validate returns a *RequestError when no certificate can be issued for r.
func (r Request) Validate() error {
	if strings.TrimSpace(r.CommonName) == "" {
		return &RequestError{"CommonName", "is empty; name the holder"}
	}
	if r.Usage == 0 || r.Usage&^(ServerAuth|ClientAuth) != 0 {
		return &RequestError{"Usage", "is none; choose ServerAuth, ClientAuth or both"}
	}
	if r.Validity < 0 {
		return &RequestError{"Validity", fmt.Sprintf("%s is negative; leave it out for the default", r.Validity)}
	}
	// Clients have not looked at the common name of a server for years.
	if r.Usage&ServerAuth != 0 && len(r.DNSNames)+len(r.IPs) == 0 {
		return &RequestError{"DNSNames", "a server needs at least one DNS name or IP address"}
	}
	for _, name := range r.DNSNames {
		if problem := checkDNSName(name); problem != "" {
			return &RequestError{"DNSNames", fmt.Sprintf("%q %s", name, problem)}
		}
	}
	for _, ip := range r.IPs {
		if !ip.IsValid() || ip.Zone() != "" {
			return &RequestError{"IPs", fmt.Sprintf("%q is not an address without a zone", ip)}
		}
	}
	return nil
}

// checkDNSName says what is wrong with a DNS name, or nothing.
func checkDNSName(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		// A client that connects to an address looks at the IP addresses only.
		return "is an IP address; list it under IPs"
	}
	check := validation.IsDNS1123Subdomain
	if strings.HasPrefix(name, "*.") {
		check = validation.IsWildcardDNS1123Subdomain
	}
	if len(check(name)) > 0 {
		return "is not a host name; use lower-case letters, digits, '-' and '.'"
	}
	return ""
}

// SplitHosts sorts a mixed list of host names and addresses, as users write it, into the two fields of
// a Request.
func SplitHosts(hosts []string) (names []string, ips []netip.Addr) {
	for _, host := range hosts {
		if ip, err := netip.ParseAddr(host); err == nil {
			ips = append(ips, ip.Unmap())
			continue
		}
		names = append(names, host)
	}
	return names, ips
}

// validity is Validity with its default.
func (r Request) validity() time.Duration {
	if r.Validity == 0 {
		return LeafValidity
	}
	return r.Validity
}

// extKeyUsage is Usage in the terms of X.509, in a fixed order.
func (r Request) extKeyUsage() []x509.ExtKeyUsage {
	var usages []x509.ExtKeyUsage
	if r.Usage&ServerAuth != 0 {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	if r.Usage&ClientAuth != 0 {
		usages = append(usages, x509.ExtKeyUsageClientAuth)
	}
	return usages
}

// dnsNames is DNSNames, each once, in the order given.
func (r Request) dnsNames() []string {
	var names []string
	for _, name := range r.DNSNames {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// netIPs is IPs, each once, in the order given and in the type that X.509 wants.
func (r Request) netIPs() []net.IP {
	var ips []net.IP
	for _, addr := range r.IPs {
		ip := net.IP(addr.Unmap().AsSlice())
		if !slices.ContainsFunc(ips, ip.Equal) {
			ips = append(ips, ip)
		}
	}
	return ips
}
