package hosted

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/kubeconfig"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// rootSecrets is the content of the Secrets that everything else of a control plane
// depends on: what is stored, and new keys for what is missing.
func (s *scope) rootSecrets(stored secrets, now time.Time) (secrets, error) {
	ca := func(name string) func() (map[string][]byte, error) {
		return func() (map[string][]byte, error) {
			pair, err := pki.NewCA(name, now, pki.CAValidity)
			return pki.SecretData(pair, pair.CertPEM), err
		}
	}
	cluster := s.hcp.Spec.ClusterRef.Name
	want := secrets{}
	for _, root := range []struct {
		secret, key string
		make        func() (map[string][]byte, error)
	}{
		{v1alpha1.SecretCA, pki.PrivateKeyKey, ca(cluster)},
		{v1alpha1.SecretFrontProxyCA, pki.PrivateKeyKey, ca(cluster + "-front-proxy")},
		{v1alpha1.SecretServiceAccount, v1alpha1.KeySigning, func() (map[string][]byte, error) {
			private, public, err := pki.NewSigningKey()
			return map[string][]byte{v1alpha1.KeySigning: private, v1alpha1.KeyVerifying: public}, err
		}},
		{v1alpha1.SecretEncryption, v1alpha1.KeyEncryption, func() (map[string][]byte, error) {
			return map[string][]byte{v1alpha1.KeyEncryption: encryptionConfiguration(pki.NewEncryptionKey())}, nil
		}},
	} {
		data, err := s.keep(root.secret, stored[root.secret], root.key, root.make)
		if err != nil {
			return nil, err
		}
		want[root.secret] = data
	}
	return want, nil
}

// leafSecrets are the Secrets that a CA in roots signs, as they should be. One that
// cannot be issued does not stop the others: the error is of the first of them.
func (s *scope) leafSecrets(roots, stored secrets, now time.Time) (map[string]pki.Ensured, error) {
	wanted, err := certificates(s.hcp, s.addresses[component.NameAPIServer])
	if err != nil {
		return nil, err
	}
	leaves := map[string]pki.Ensured{}
	var failed error
	for _, c := range wanted {
		leaf, err := pki.EnsureSecretData(stored[c.secret], roots[c.ca], c.request, now)
		switch {
		case err == nil:
			leaves[c.secret] = leaf
		case failed == nil && errors.Is(err, pki.ErrCA):
			failed = reconcile.UserError("CAUnusable", "certificate %s cannot be issued: Secret %s/%s: %v; restore it from a backup, or rotate the CA if it has expired",
				c.secret, s.hcp.Namespace, c.ca, err)
		case failed == nil:
			failed = fmt.Errorf("certificate %s: %w", c.secret, err)
		}
	}
	return leaves, failed
}

// secrets is the data of Secrets by their names.
type secrets map[string]map[string][]byte

// keep returns what is stored if it holds the key that matters, and otherwise
// makes it: but never for a control plane that has run, whose nodes and data
// depend on the key that is gone.
func (s *scope) keep(secret string, stored map[string][]byte, key string, make func() (map[string][]byte, error)) (map[string][]byte, error) {
	switch {
	case len(stored[key]) > 0:
		return stored, nil
	case s.hcp.Status.Version != "":
		return nil, reconcile.UserError("SecretLost",
			"Secret %s/%s has lost its key %s, which cannot be made again: restore it from a backup", s.hcp.Namespace, secret, key)
	default:
		return make()
	}
}

// encryptionConfiguration encrypts the tenant's Secrets at rest with a key of its
// own. Identity comes last, for reading what was written without encryption; it is
// never used for writing.
func encryptionConfiguration(key []byte) []byte {
	return fmt.Appendf(nil, `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - secretbox:
          keys:
            - name: key1
              secret: %s
      - identity: {}
`, base64.StdEncoding.EncodeToString(key))
}

// authenticationConfiguration lets strangers ask for health, and read what a node
// needs to find the cluster; nothing else.
const authenticationConfiguration = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
    - path: /livez
    - path: /readyz
    - path: /healthz
    - path: /api/v1/namespaces/kube-public/configmaps/cluster-info
`

// desiredConfigMaps is the content of every ConfigMap of a control plane.
func desiredConfigMaps(s *scope) map[string]map[string]string {
	// Encode fails only for a kubeconfig that names unknown types.
	config, err := kubeconfig.Encode(kubeconfig.ByFiles(s.internal().URL()))
	if err != nil {
		panic(err)
	}
	all := map[string]map[string]string{
		v1alpha1.ConfigMapAPIServer:  {v1alpha1.KeyAuthentication: authenticationConfiguration, v1alpha1.KeyProbes: component.ProbePolicy},
		v1alpha1.ConfigMapKubeconfig: {v1alpha1.KeyKubeconfig: string(config)},
	}
	if throughKonnectivity(s.hcp) {
		files := konnectivityFiles(s.addresses[component.NameAPIServer])
		if reconcile.IsTrue(s.hcp.Status.Conditions, v1alpha1.ConditionKonnectivityReady) {
			files[v1alpha1.KeyAgents] = "" // API servers that start wait for one
		}
		all[v1alpha1.ConfigMapKonnectivity] = files
	}
	return all
}
