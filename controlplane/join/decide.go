package join

import (
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// Decision is what becomes of a request.
type Decision int

const (
	// Ignore leaves the request to whoever else cares for its signer.
	Ignore Decision = iota
	// Wait says that a fact is missing that is going to come.
	Wait
	// Approve has the certificate signed.
	Approve
	// Deny is final: a new request is needed.
	Deny
)

func (d Decision) String() string {
	return [...]string{"Ignore", "Wait", "Approve", "Deny"}[d]
}

// Reasons for a decision, as they appear in the condition of the request.
const (
	ReasonTokenJoin   = "TokenJoin"
	ReasonSelfRenewal = "SelfRenewal"
	ReasonKnownNode   = "KnownNode"

	ReasonNodeMissing = "NodeMissing"

	ReasonNotDecodable   = "NotDecodable"
	ReasonWrongSubject   = "WrongSubject"
	ReasonWrongUsages    = "WrongUsages"
	ReasonSANsNotAllowed = "SANsNotAllowed"
	ReasonSANsMissing    = "SANsMissing"
	ReasonNameReserved   = "NameReserved"
	ReasonNotANode       = "NotANode"
	ReasonNotOwnName     = "NotOwnName"
	ReasonWrongGroup     = "WrongGroup"
	ReasonTokenInvalid   = "TokenInvalid"
	ReasonTokenBound     = "TokenBound"
	ReasonNameBound      = "NameBound"
	ReasonNodeExists     = "NodeExists"
	ReasonNameClaimed    = "NameClaimed"
	ReasonAddressUnknown = "AddressUnknown"
	ReasonAddressTaken   = "AddressTaken"
)

// rule is one reason for not approving a request. It returns Approve when it has none.
type rule func(Request, Facts) (d Decision, reason, message string)

// Decide says what becomes of a request for one of the two signers of kubelets; others
// are ignored. reason is a CamelCase word, and message tells the person who looks at
// the request what to do.
func Decide(r Request, f Facts) (d Decision, reason, message string) {
	rules, done, doneMessage := rulesFor(r)
	if rules == nil {
		return Ignore, "", ""
	}
	for _, rule := range rules {
		if d, reason, message := rule(r, f); d != Approve {
			return d, reason, message
		}
	}
	return Approve, done, doneMessage
}

// rulesFor picks the rules, and the words for a request that keeps them all.
func rulesFor(r Request) (rules []rule, reason, message string) {
	switch _, byToken := r.token(); {
	case r.Signer == certificatesv1.KubeletServingSignerName:
		return servingRules, ReasonKnownNode, "the node asks for names and addresses that are known to be its own"
	case r.Signer != certificatesv1.KubeAPIServerClientKubeletSignerName:
		return nil, "", ""
	case byToken:
		return joinRules, ReasonTokenJoin, "a valid bootstrap token asks for a node that it may make"
	default:
		return renewalRules, ReasonSelfRenewal, "the node renews its own certificate"
	}
}

// isNode holds for every certificate of a node: which name it is for must not be in
// doubt, and the API server takes its organization for its groups.
func isNode(r Request, f Facts) (Decision, string, string) {
	name, ok := r.node()
	if !ok || !slices.Equal(r.CSR.Subject.Organization, []string{nodesGroup}) {
		return deny(ReasonWrongSubject,
			"the subject is CN=%q, O=%q; a node's is CN=%q with its name in lower case and O=%q alone",
			r.CSR.Subject.CommonName, r.CSR.Subject.Organization, nodeUserPrefix+"NAME", nodesGroup)
	}
	if f.Reserved.name(name) {
		return deny(ReasonNameReserved, "a node cannot be called %q, which is a name of the API server or of a service: join under another name", name)
	}
	return approve()
}

// hasUsages wants the usages of a kubelet's certificate: one of them, besides signing
// and, for RSA keys, key encipherment.
func hasUsages(usage certificatesv1.KeyUsage) rule {
	return func(r Request, _ Facts) (Decision, string, string) {
		got := slices.Sorted(slices.Values(r.Usages))
		got = slices.DeleteFunc(slices.Compact(got), func(u certificatesv1.KeyUsage) bool { return u == certificatesv1.UsageKeyEncipherment })
		want := []certificatesv1.KeyUsage{usage, certificatesv1.UsageDigitalSignature}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			return deny(ReasonWrongUsages, "the usages are %q; this signer's are %q, and %q for RSA keys", r.Usages, want, certificatesv1.UsageKeyEncipherment)
		}
		return approve()
	}
}

// byItself wants a node to ask, and for itself.
func byItself(r Request, _ Facts) (Decision, string, string) {
	if !r.byNode() {
		return deny(ReasonNotANode, "%q is no node: the certificates of a node are asked for by the node, or by a bootstrap token for joining", r.User)
	}
	if r.User != r.CSR.Subject.CommonName {
		return deny(ReasonNotOwnName, "%q asks for a certificate of %q: a node gets certificates for itself only", r.User, r.CSR.Subject.CommonName)
	}
	return approve()
}

func approve() (Decision, string, string) { return Approve, "", "" }

// maxMessage bounds what somebody can write into our log with a strange request.
const maxMessage = 1000

func deny(reason, format string, args ...any) (Decision, string, string) {
	message := fmt.Sprintf(format, args...)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	return Deny, reason, message
}
