package local

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// presented are the flags by which a process is told which certificates to present,
// with the Secrets that they are from.
var presented = map[string]map[string]string{
	"kube-apiserver": {
		"tls-cert-file":              v1alpha1.SecretAPIServerServing,
		"kubelet-client-certificate": v1alpha1.SecretAPIServerKubeletClient,
		"proxy-client-cert-file":     v1alpha1.SecretFrontProxyClient,
		"etcd-certfile":              v1alpha1.SecretEtcdClient,
	},
	// They present one pair to the API server and to whoever asks for their health.
	"kube-controller-manager": {"tls-cert-file": v1alpha1.SecretControllerManagerClient},
	"kube-scheduler":          {"tls-cert-file": v1alpha1.SecretSchedulerClient},
}

// replica is a running process of a control plane.
type replica struct {
	name, component string
	flags           map[string]string
}

// replicas are the nine of a control plane, by what their processes were started with.
func replicas(t *testing.T, m *harness.Marina, namespace string) (found []replica) {
	t.Helper()
	for name, pid := range m.TenantProcesses() {
		parts := strings.Split(name, "/")
		if parts[0] != namespace || presented[parts[1]] == nil {
			continue
		}
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		check(t, err)
		r := replica{name: name, component: parts[1], flags: map[string]string{}}
		for _, arg := range strings.Split(string(args), "\x00") {
			if flag, value, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "="); ok {
				r.flags[flag] = value
			}
		}
		// The balancer is a process of the API server too.
		if r.flags["secure-port"] != "" {
			found = append(found, r)
		}
	}
	if len(found) != 9 {
		t.Fatalf("found %d processes of three components, want 9: %v", len(found), found)
	}
	return found
}

// served is the serial number of the certificate at a replica's own address.
func (r replica) served(ctx context.Context) (string, error) {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(r.flags["bind-address"], r.flags["secure-port"]))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// onDisk are the serial numbers of the certificates in the files that a replica
// presents, by Secret.
func (r replica) onDisk() (map[string]string, error) {
	found := map[string]string{}
	for flag, secret := range presented[r.component] {
		data, err := os.ReadFile(r.flags[flag])
		if err != nil {
			return nil, err
		}
		if found[secret], err = serial(data); err != nil {
			return nil, fmt.Errorf("%s: %w", r.flags[flag], err)
		}
	}
	return found, nil
}

func serial(certPEM []byte) (string, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return "", fmt.Errorf("no certificate in %d bytes", len(certPEM))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	return cert.SerialNumber.String(), nil
}

// serials are those of the certificates in the Secrets of a management namespace.
func serials(t *testing.T, m *harness.Marina, namespace string) map[string]string {
	t.Helper()
	list := &corev1.SecretList{}
	check(t, m.Client.List(t.Context(), list, client.InNamespace(namespace)))
	found := map[string]string{}
	for _, secret := range list.Items {
		if len(secret.Data[pki.CertKey]) > 0 {
			var err error
			found[secret.Name], err = serial(secret.Data[pki.CertKey])
			check(t, err)
		}
	}
	return found
}
