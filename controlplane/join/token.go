package join

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// DefaultTokenTTL is for callers whose user asked for no time in particular: a
	// machine that takes longer to boot has failed.
	DefaultTokenTTL = 30 * time.Minute
	// MaxTokenTTL is the longest time that a token may be valid.
	MaxTokenTTL = 24 * time.Hour
	// minTokenTTL is what the format of the expiration can express.
	minTokenTTL = time.Second
)

// TokenRequest describes a bootstrap token.
type TokenRequest struct {
	// TTL is how long the token is valid, up to MaxTokenTTL. Zero is no default but
	// refused, like anything below a second: use DefaultTokenTTL.
	TTL time.Duration
	// NodeName binds the token to one node; empty leaves it unbound. See the package's
	// comment for what either can do.
	NodeName string
	// Description is for people, and shown by "kubeadm token list".
	Description string
}

// Token is a bootstrap token. It prints without its secret and leaves it out of JSON;
// Value has it.
type Token struct {
	// ID is public: it is part of the requestor's name in every request.
	ID string
	// Secret is what proves that somebody has the token.
	Secret string `json:"-"`
	// Expires is when the token stops to work, in whole seconds, UTC.
	Expires time.Time
}

// Value is the token as a kubelet or "kubeadm join" takes it.
func (t Token) Value() string { return t.ID + "." + t.Secret }

// String tells the tokens apart without giving one away.
func (t Token) String() string { return "bootstrap token " + t.ID }

// GoString is String: %#v would print the secret.
func (t Token) GoString() string { return t.String() }

// Validate returns a reconcile.UserError when no token can be made for r.
func (r TokenRequest) Validate() error {
	if r.TTL < minTokenTTL || r.TTL > MaxTokenTTL {
		return reconcile.UserError("InvalidTTL", "a token can be valid for 1s up to 24h, not for %s: 30m is usual, and a new one is made in a moment", r.TTL)
	}
	if r.NodeName == "" {
		return nil
	}
	if problems := validation.IsDNS1123Subdomain(r.NodeName); len(problems) > 0 {
		return reconcile.UserError("InvalidNodeName", "node name %q: %s", r.NodeName, strings.Join(problems, "; "))
	}
	if (Reserved{}).name(r.NodeName) {
		return reconcile.UserError("InvalidNodeName", "node name %q is how the API server is called: choose another one", r.NodeName)
	}
	return nil
}

// CreateToken makes a token and writes it into the tenant, where it works at once and
// for discovery a moment later, when the controller-manager has signed cluster-info
// with it. random is crypto/rand.Reader outside of tests. A request that cannot be
// met is a reconcile.UserError.
func CreateToken(ctx context.Context, tenant kubernetes.Interface, req TokenRequest, now time.Time, random io.Reader) (Token, error) {
	if err := req.Validate(); err != nil {
		return Token{}, err
	}
	// Two of 36^6 identifiers are rarely the same; that it happens again and again means
	// that random is not.
	for range 3 {
		token, err := DrawToken(random)
		if err != nil {
			return Token{}, err
		}
		token.Expires = now.Add(req.TTL).UTC().Truncate(time.Second)
		_, err = tenant.CoreV1().Secrets(metav1.NamespaceSystem).Create(ctx, TokenSecret(token, req), metav1.CreateOptions{FieldManager: v1alpha1.FieldOwner})
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		if err != nil {
			return Token{}, fmt.Errorf("writing %s: %w", token, err)
		}
		return token, nil
	}
	return Token{}, reconcile.Retry(nil, "TokenExists", "three random tokens had identifiers that exist already")
}

// TokenSecret is a token as a tenant stores it, in kube-system. Of the request, which is
// not checked here, it takes the node and the description; the token has its own end.
func TokenSecret(token Token, req TokenRequest) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceSystem,
			Name:      bootstrapapi.BootstrapTokenSecretPrefix + token.ID,
			Labels:    map[string]string{"app.kubernetes.io/managed-by": "marina"},
		},
		Type: bootstrapapi.SecretTypeBootstrapToken,
		Data: map[string][]byte{
			bootstrapapi.BootstrapTokenIDKey:               []byte(token.ID),
			bootstrapapi.BootstrapTokenSecretKey:           []byte(token.Secret),
			bootstrapapi.BootstrapTokenExpirationKey:       []byte(token.Expires.Format(time.RFC3339)),
			bootstrapapi.BootstrapTokenExtraGroupsKey:      []byte(v1alpha1.GroupBootstrappers),
			bootstrapapi.BootstrapTokenUsageAuthentication: []byte("true"),
			// Signing is what the discovery of "kubeadm join" relies on.
			bootstrapapi.BootstrapTokenUsageSigningKey: []byte("true"),
		},
	}
	if req.Description != "" {
		secret.Data[bootstrapapi.BootstrapTokenDescriptionKey] = []byte(req.Description)
	}
	if req.NodeName != "" {
		secret.Annotations = map[string]string{v1alpha1.AnnotationNodeName: req.NodeName}
	}
	return secret
}

const tokenAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz"

// DrawToken draws a token, which has no end yet and is not written anywhere.
func DrawToken(random io.Reader) (Token, error) {
	text, err := randomText(random, bootstrapapi.BootstrapTokenIDBytes+bootstrapapi.BootstrapTokenSecretBytes)
	if err != nil {
		return Token{}, fmt.Errorf("drawing a token: %w", err)
	}
	return Token{ID: text[:bootstrapapi.BootstrapTokenIDBytes], Secret: text[bootstrapapi.BootstrapTokenIDBytes:]}, nil
}

// randomText draws n characters of tokenAlphabet, each equally likely: bytes at the
// upper end, where a remainder would favour some, are drawn again.
func randomText(random io.Reader, n int) (string, error) {
	const limit = 256 - 256%len(tokenAlphabet)
	text := make([]byte, 0, n)
	var b [1]byte
	for len(text) < n {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", err
		}
		if int(b[0]) < limit {
			text = append(text, tokenAlphabet[int(b[0])%len(tokenAlphabet)])
		}
	}
	return string(text), nil
}
