package join

import (
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/util/secrets"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var (
	// joinRules are for a token that asks for the first certificate of a node.
	joinRules = []rule{isNode, hasUsages(certificatesv1.UsageClientAuth), noSANs, tokenGroup, tokenValid, tokenName, nameFree}
	// renewalRules are for everybody else who asks for the client certificate of a node.
	renewalRules = []rule{byItself, isNode, hasUsages(certificatesv1.UsageClientAuth), noSANs}
)

// noSANs: a client certificate has no use for them, but somebody else might.
func noSANs(r Request, _ Facts) (Decision, string, string) {
	if sans := allSANs(r); len(sans) > 0 {
		return deny(ReasonSANsNotAllowed, "a client certificate has no alternative names, but this asks for %q", sans)
	}
	return approve()
}

// tokenGroup keeps out tokens that were made for something else.
func tokenGroup(r Request, _ Facts) (Decision, string, string) {
	if !slices.Contains(r.Groups, v1alpha1.GroupBootstrappers) {
		return deny(ReasonWrongGroup, "the token is not in the group %q: make one that is (kubeadm token create --groups %s)", v1alpha1.GroupBootstrappers, v1alpha1.GroupBootstrappers)
	}
	return approve()
}

// tokenValid: the token was valid when it asked, but that may be a while ago.
func tokenValid(r Request, f Facts) (Decision, string, string) {
	id, _ := r.token()
	if problem := tokenProblem(f.Token, id, f.Now); problem != "" {
		return deny(ReasonTokenInvalid, "the bootstrap token %q %s: join again with a new one", id, problem)
	}
	return approve()
}

// tokenProblem says why a Secret is not a token that may be used now, or nothing. A
// token without expiration is valid: only an administrator of the tenant can have made
// it.
func tokenProblem(secret *corev1.Secret, id string, now time.Time) string {
	switch {
	case secret == nil, secret.DeletionTimestamp != nil:
		return "does not exist any more"
	case secret.Type != bootstrapapi.SecretTypeBootstrapToken, string(secret.Data[bootstrapapi.BootstrapTokenIDKey]) != id:
		return "has a Secret that is none of a token"
	case string(secret.Data[bootstrapapi.BootstrapTokenUsageAuthentication]) != "true":
		return "is not for authentication"
	case secrets.HasExpired(secret, now):
		return fmt.Sprintf("expired at %s", secret.Data[bootstrapapi.BootstrapTokenExpirationKey])
	}
	return ""
}

// tokenName: a bound token makes its own node.
func tokenName(r Request, f Facts) (Decision, string, string) {
	name, _ := r.node()
	if bound := f.Token.Annotations[v1alpha1.AnnotationNodeName]; bound != "" && bound != name {
		return deny(ReasonTokenBound, "the bootstrap token is for the node %q and no other: join under that name, or with a token for %q", bound, name)
	}
	return approve()
}

// nameFree: an unbound token gets only names that are nobody's.
func nameFree(r Request, f Facts) (Decision, string, string) {
	name, _ := r.node()
	switch {
	case f.Token.Annotations[v1alpha1.AnnotationNodeName] == name:
		return approve()
	case f.Node != nil:
		return deny(ReasonNodeExists, "a Node %q exists: choose another name, delete it first (kubectl delete node %s), or join with a token for this node name", name, name)
	case f.BoundToken != "":
		return deny(ReasonNameBound, "the bootstrap token %q is for the node %q: join with it, delete it, or choose another name", f.BoundToken, name)
	case f.Known:
		return deny(ReasonNameBound, "%q is the name of a machine of a node pool: choose another name", name)
	case f.ClaimedBy != "":
		return deny(ReasonNameClaimed, "another machine has just joined as %q: choose another name, or if it is gone, delete its request (kubectl delete csr %s) and join again", name, f.ClaimedBy)
	}
	return approve()
}

// allSANs are the alternative names of all kinds.
func allSANs(r Request) []string {
	sans := slices.Concat(r.CSR.DNSNames, otherSANs(r))
	for _, ip := range r.CSR.IPAddresses {
		sans = append(sans, ip.String())
	}
	return sans
}

// otherSANs are those of kinds that no certificate of a node has.
func otherSANs(r Request) []string {
	sans := slices.Clone(r.CSR.EmailAddresses)
	for _, uri := range r.CSR.URIs {
		sans = append(sans, uri.String())
	}
	return sans
}
