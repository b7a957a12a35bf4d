package kubeconfig

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/pkg/pki"
)

// ErrNoClientCertificate says that the user of the current context has no embedded client certificate,
// but a token, a file or a plugin. Such a kubeconfig does not tell when it ends.
var ErrNoClientCertificate = errors.New("kubeconfig has no embedded client certificate")

// NotAfter is when the embedded client certificate of the current context's user ends, in UTC. It
// returns an error with ErrNoClientCertificate in its chain when there is none, and another when the
// context, the user or the certificate cannot be made out.
func NotAfter(cfg *api.Config) (time.Time, error) {
	context, ok := cfg.Contexts[cfg.CurrentContext]
	if !ok || context == nil {
		return time.Time{}, fmt.Errorf("kubeconfig has no current context %q: choose one with kubectl config use-context", cfg.CurrentContext)
	}
	user, ok := cfg.AuthInfos[context.AuthInfo]
	if !ok || user == nil {
		return time.Time{}, fmt.Errorf("kubeconfig has no user %q, which context %q names", context.AuthInfo, cfg.CurrentContext)
	}
	if len(user.ClientCertificateData) == 0 {
		return time.Time{}, fmt.Errorf("user %q: %w", context.AuthInfo, ErrNoClientCertificate)
	}
	cert, err := pki.KeyPair{CertPEM: user.ClientCertificateData}.Certificate()
	if err != nil {
		return time.Time{}, fmt.Errorf("client certificate of user %q: %w", context.AuthInfo, err)
	}
	return cert.NotAfter.UTC(), nil
}
