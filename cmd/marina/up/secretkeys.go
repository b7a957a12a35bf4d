package up

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"k8s.io/client-go/util/keyutil"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/pki"
)

// Files of keys without a certificate.
const (
	fileSigning    = "service-account.key"
	fileVerifying  = "service-account.pub"
	fileEncryption = "encryption.yaml"
)

// signingKey returns the two halves of the key of service account tokens. The public
// one can be made from the other.
func (s keyStore) signingKey() (private, public []byte, err error) {
	private, err = s.read(fileSigning)
	if err != nil {
		return nil, nil, err
	}
	if public, err = s.read(fileVerifying); err != nil {
		return nil, nil, err
	}
	if private == nil && (public == nil || !s.used) {
		s.logRenewal(fileSigning, pki.ReasonMissing, "there is no private key")
		if private, public, err = pki.NewSigningKey(); err != nil {
			return nil, nil, err
		}
		return private, public, errors.Join(s.write(fileSigning, private), s.write(fileVerifying, public))
	}
	key, err := pki.KeyPair{KeyPEM: private}.PrivateKey()
	if err != nil {
		return nil, nil, failure.New(
			fmt.Sprintf("restore it from a backup of the data directory; without one, remove it and %s: another key is made, and tokens of service accounts that were handed out stop working", fileVerifying),
			"%s is missing or damaged: %v", filepath.Join(s.dir, fileSigning), err)
	}
	// There may be more in it, for tokens that an earlier key has signed.
	known, err := keyutil.ParsePublicKeysPEM(public)
	if err == nil && slices.ContainsFunc(known, func(k any) bool { return key.PublicKey.Equal(k) }) {
		return private, public, nil
	}
	s.log.Info("writing a file of the management plane again that was missing or damaged", "file", filepath.Join(s.dir, fileVerifying))
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	if len(public) > 0 {
		// Keys that somebody has added may be found in it.
		if err := putAside(filepath.Join(s.dir, fileVerifying)); err != nil {
			return nil, nil, err
		}
	}
	public = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return private, public, s.write(fileVerifying, public)
}

// encryptionConfiguration encrypts Secrets in etcd: they hold the CA keys of all
// tenants. Its key cannot be made again once there is data.
func (s keyStore) encryptionConfiguration(d dataDir) ([]byte, error) {
	data, err := s.read(fileEncryption)
	if err != nil {
		return nil, err
	}
	what := "missing"
	if data != nil {
		if err = checkEncryption(data); err == nil {
			return data, nil
		}
		what = fmt.Sprintf("damaged (%v)", err)
	}
	if s.used {
		return nil, failure.New("restore that file from a backup of the data directory",
			"%s is %s: without its key the Secrets in %s cannot be read", filepath.Join(s.dir, fileEncryption), what, d.etcd())
	}
	data = fmt.Appendf(nil, encryptionTemplate, base64.StdEncoding.EncodeToString(pki.NewEncryptionKey()))
	return data, s.write(fileEncryption, data)
}

// checkEncryption finds out whether a configuration is whole: the API server would be
// long in saying that it is not. Somebody may have added keys and providers to it.
func checkEncryption(data []byte) error {
	var configuration struct {
		Kind      string `json:"kind"`
		Resources []struct {
			Providers []map[string]struct {
				Keys []struct {
					Secret string `json:"secret"`
				} `json:"keys"`
			} `json:"providers"`
		} `json:"resources"`
	}
	if err := yaml.Unmarshal(data, &configuration); err != nil {
		return err
	}
	if configuration.Kind != "EncryptionConfiguration" {
		return errors.New("it holds no EncryptionConfiguration")
	}
	encrypts := false
	for _, resource := range configuration.Resources {
		for _, provider := range resource.Providers {
			_, kms := provider["kms"]
			encrypts = encrypts || kms
			for name, p := range provider {
				for _, key := range p.Keys {
					raw, err := base64.StdEncoding.DecodeString(key.Secret)
					if err != nil || !slices.Contains(keySizes(name), len(raw)) {
						return fmt.Errorf("a key of the provider %s is not whole", name)
					}
					encrypts = true
				}
			}
		}
	}
	if !encrypts {
		return errors.New("there is no key in it")
	}
	return nil
}

// keySizes are the lengths of keys that a provider takes, in bytes.
func keySizes(provider string) []int {
	if provider == "secretbox" {
		return []int{32}
	}
	return []int{16, 24, 32}
}

const encryptionTemplate = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - secretbox:
          keys:
            - name: "1"
              secret: %s
      - identity: {}
`
