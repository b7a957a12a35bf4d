package join

import (
	"context"
	"net/netip"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// decide gathers the facts that matter for a request, and no others, and decides.
func (s *session) decide(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) (d Decision, reason, message string, err error) {
	r, err := ParseRequest(csr)
	if err != nil {
		d, reason, message = deny(ReasonNotDecodable, "the request cannot be read: %v", err)
		return d, reason, message, nil
	}
	f := Facts{Now: time.Now(), Reserved: s.Reserved}
	name, isNode := r.node()
	switch _, byToken := r.token(); {
	case !isNode:
		// No fact can help it.
	case r.Signer == certificatesv1.KubeletServingSignerName:
		err = s.servingFacts(ctx, r, name, &f)
	case byToken:
		err = s.joinFacts(ctx, r, name, &f)
	}
	if err != nil {
		return Wait, "", "", err
	}
	d, reason, message = Decide(r, f)
	return d, reason, message, nil
}

// joinFacts are about the token and, unless it is bound to a name, about whose the name
// is.
func (s *session) joinFacts(ctx context.Context, r Request, name string, f *Facts) error {
	id, _ := r.token()
	if !bootstraputil.IsValidBootstrapTokenID(id) {
		return nil
	}
	var err error
	f.Token, err = found(s.Client.CoreV1().Secrets(metav1.NamespaceSystem).Get(ctx, bootstrapapi.BootstrapTokenSecretPrefix+id, metav1.GetOptions{}))
	if err != nil || f.Token == nil || f.Token.Annotations[v1alpha1.AnnotationNodeName] != "" {
		return err
	}
	f.ClaimedBy = s.claims.against(r, f.Now)
	if f.Node, err = found(s.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})); err != nil {
		return err
	}
	if f.BoundToken, err = s.tokenBoundTo(ctx, name, f.Now); err != nil {
		return err
	}
	return s.inventory(ctx, name, f)
}

// tokenBoundTo is the identifier of a valid token that is bound to a node name.
func (s *session) tokenBoundTo(ctx context.Context, name string, now time.Time) (string, error) {
	options := metav1.ListOptions{
		Limit:         pageSize,
		FieldSelector: fields.OneTermEqualSelector("type", string(bootstrapapi.SecretTypeBootstrapToken)).String(),
	}
	for {
		page, err := s.Client.CoreV1().Secrets(metav1.NamespaceSystem).List(ctx, options)
		if err != nil {
			return "", err
		}
		for i := range page.Items {
			secret := &page.Items[i]
			id := string(secret.Data[bootstrapapi.BootstrapTokenIDKey])
			if secret.Annotations[v1alpha1.AnnotationNodeName] == name && tokenProblem(secret, id, now) == "" {
				return id, nil
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return "", nil
		}
	}
}

// servingFacts are about the node and, only when everything else is in order, about all
// others: in a large cluster that is the one fact which costs something.
func (s *session) servingFacts(ctx context.Context, r Request, name string, f *Facts) error {
	var err error
	if f.Node, err = found(s.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})); err != nil {
		return err
	}
	if err := s.inventory(ctx, name, f); err != nil {
		return err
	}
	if d, _, _ := Decide(r, *f); d != Approve || len(r.CSR.IPAddresses) == 0 {
		return nil
	}
	f.Owners = map[netip.Addr]string{}
	options := metav1.ListOptions{Limit: 500}
	for {
		page, err := s.Client.CoreV1().Nodes().List(ctx, options)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if node := &page.Items[i]; node.Name != name {
				for _, ip := range addressesOf(node) {
					f.Owners[ip] = node.Name
				}
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return nil
		}
	}
}

func (s *session) inventory(ctx context.Context, name string, f *Facts) (err error) {
	if s.Inventory != nil {
		f.KnownAddresses, f.Known, err = s.Inventory(ctx, name)
	}
	return err
}

// found makes nil of an object that does not exist.
func found[T *corev1.Node | *corev1.Secret](object T, err error) (T, error) {
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return object, err
}
