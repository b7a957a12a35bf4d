package up

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/pki"
)

// credentials are the keys of the management plane, as they lie in <data>/pki. Of
// tenants' keys there are none: those are Secrets in the management API.
type credentials struct {
	// ca signs what the management API and its clients present to each other, and
	// etcdCA what etcd and the API server do: who has one of the latter is no user
	// of the API.
	ca, etcdCA pki.KeyPair
	leaves     map[string]pki.KeyPair
	// signing and verifying are the keys of service account tokens.
	signing, verifying []byte
	// encryption is the EncryptionConfiguration for data at rest.
	encryption []byte
}

// Names of the CAs, and of their files.
const (
	authorityAPI  = "ca"
	authorityEtcd = "etcd-ca"
)

// Names of the leaf certificates, which are also those of their files.
const (
	leafAPIServer         = "kube-apiserver"
	leafControllerManager = "kube-controller-manager"
	leafAdmin             = "admin"
	leafMarina            = "marina"
	leafEtcdServer        = "etcd-server"
	leafEtcdClient        = "etcd-client"
)

// groupMasters may do anything in the management API. On this machine its members
// are the person who runs Marina, and Marina.
const groupMasters = "system:masters"

var loopback = netip.MustParseAddr(address)

// leafRequests are the certificates that ca and etcdCA sign.
var (
	leafRequests = map[string]pki.Request{
		leafAPIServer:         {CommonName: "kube-apiserver", DNSNames: []string{"localhost"}, IPs: []netip.Addr{loopback}, Usage: pki.ServerAuth},
		leafControllerManager: {CommonName: "system:kube-controller-manager", DNSNames: []string{"localhost"}, IPs: []netip.Addr{loopback}, Usage: pki.ClientAuth | pki.ServerAuth},
		leafAdmin:             {CommonName: "admin", Organization: []string{groupMasters}, Usage: pki.ClientAuth},
		leafMarina:            {CommonName: "marina", Organization: []string{groupMasters}, Usage: pki.ClientAuth},
	}
	etcdLeafRequests = map[string]pki.Request{
		leafEtcdServer: {CommonName: "etcd", DNSNames: []string{"localhost"}, IPs: []netip.Addr{loopback}, Usage: pki.ServerAuth},
		leafEtcdClient: {CommonName: "kube-apiserver", Usage: pki.ClientAuth},
	}
)

// keyStore is the folder of keys.
type keyStore struct {
	dir string
	now time.Time
	log *slog.Logger
	// running is true while processes use the keys.
	running bool
	// used is true once there is data of an earlier start.
	used bool
}

// ensureCredentials reads the keys, and makes what is missing or falls due. While the
// management plane is running, its CAs stay: etcd reads its own only when it starts.
func ensureCredentials(d dataDir, now time.Time, log *slog.Logger, running bool) (*credentials, error) {
	if err := os.MkdirAll(d.pki(), 0o700); err != nil {
		return nil, err
	}
	s := keyStore{dir: d.pki(), now: now, log: log, running: running, used: d.used()}
	c := &credentials{leaves: map[string]pki.KeyPair{}}
	var err error
	if c.ca, err = s.authority(authorityAPI, "marina-management"); err != nil {
		return nil, err
	}
	if c.etcdCA, err = s.authority(authorityEtcd, "marina-management-etcd"); err != nil {
		return nil, err
	}
	for _, signer := range []struct {
		ca       pki.KeyPair
		requests map[string]pki.Request
	}{{c.ca, leafRequests}, {c.etcdCA, etcdLeafRequests}} {
		for name, request := range signer.requests {
			if c.leaves[name], err = s.leaf(name, signer.ca, request); err != nil {
				return nil, err
			}
		}
	}
	if c.signing, c.verifying, err = s.signingKey(); err != nil {
		return nil, err
	}
	c.encryption, err = s.encryptionConfiguration(d)
	return c, err
}

// spoilt reports whether a part of a pair is there that is no good. Where there is
// nothing at all, somebody has made room for another.
func spoilt(stored pki.KeyPair, reason string) bool {
	expires := reason == pki.ReasonExpiresSoon || reason == pki.ReasonExpired
	return !expires && (stored.CertPEM != nil || stored.KeyPEM != nil)
}

// authority returns a CA. What it has signed is signed anew when it is replaced, so
// that this is safe whenever it is due: nothing of a tenant depends on it. But people
// have copies of the kubeconfig, which name the API's CA: damage is not their wish.
func (s keyStore) authority(name, commonName string) (pki.KeyPair, error) {
	stored, err := s.readPair(name)
	if err != nil {
		return pki.KeyPair{}, err
	}
	in := pki.Input{Stored: stored, Now: s.now}
	in.Cert, _ = stored.Certificate()
	in.Key, _ = stored.PrivateKey()
	chain := []pki.Policy{pki.Missing, pki.NotDecodable, pki.KeyMismatch, pki.NotYetValid, pki.ExpiresSoon}
	reason, message, due := pki.Evaluate(chain, in)
	if !due {
		return stored, nil
	}
	if s.running && in.Cert != nil && in.Key != nil {
		s.log.Warn("a CA of the management plane is due and is replaced at the next start: stop 'marina up' and start it again",
			"certificate", name, "reason", reason, "message", message)
		return stored, nil
	}
	if s.running {
		return pki.KeyPair{}, failure.New("stop 'marina up' and start it again",
			"%s and %s are in use and cannot be read any more: %s", s.certFile(name), s.keyFile(name), message)
	}
	if reason == pki.ReasonNotYetValid && name == authorityAPI {
		return pki.KeyPair{}, failure.New(
			"set the clock of this machine; if it is right now and was wrong when the CA was made, remove both files of the CA: another one is made, and who has a copy of the kubeconfig needs a new one",
			"the clock of this machine says %s, and %s was made later: %s", s.now.UTC().Format(time.RFC3339), s.certFile(name), message)
	}
	if s.used && name == authorityAPI && spoilt(stored, reason) {
		return pki.KeyPair{}, failure.New(
			"restore both from a backup of the data directory; without one, remove both: another CA is made, and who has a copy of the kubeconfig needs a new one",
			"%s and %s are damaged: %s", s.certFile(name), s.keyFile(name), message)
	}
	s.logRenewal(name, reason, message)
	ca, err := pki.NewCA(commonName, s.now, 0)
	if err != nil {
		return pki.KeyPair{}, err
	}
	return ca, s.writePair(name, ca)
}

func (s keyStore) leaf(name string, ca pki.KeyPair, request pki.Request) (pki.KeyPair, error) {
	stored, err := s.readPair(name)
	if err != nil {
		return pki.KeyPair{}, err
	}
	in, err := pki.Load(stored, ca.CertPEM, request, s.now)
	if err != nil {
		return pki.KeyPair{}, fmt.Errorf("certificate %s: %w", name, err)
	}
	reason, message, due := pki.Evaluate(pki.LeafPolicies(), in)
	if !due {
		return stored, nil
	}
	s.logRenewal(name, reason, message)
	pair, err := ca.Issue(request, s.now)
	if err != nil {
		return pki.KeyPair{}, fmt.Errorf("certificate %s: %w", name, err)
	}
	return pair, s.writePair(name, pair)
}

// logRenewal is silent about the first time.
func (s keyStore) logRenewal(name, reason, message string) {
	if reason != pki.ReasonMissing || s.used {
		s.log.Info("renewing a certificate of the management plane", "certificate", name, "reason", reason, "message", message)
	}
}

func (s keyStore) certFile(name string) string { return filepath.Join(s.dir, name+".crt") }
func (s keyStore) keyFile(name string) string  { return filepath.Join(s.dir, name+".key") }

// read returns nil if there is no such file.
func (s keyStore) read(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (s keyStore) write(name string, data []byte) error {
	return writeFile(filepath.Join(s.dir, name), data)
}
