package join

import (
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// decisionCase is a request, as a kubelet makes it unless spoilt, and what becomes of
// it.
type decisionCase struct {
	asked  asked
	spoil  func(*asked)
	facts  Facts
	want   Decision
	reason string
	say    string // a word of the message that helps
}

func runCases(t *testing.T, cases map[string]decisionCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.spoil != nil {
				tc.spoil(&tc.asked)
			}
			r, err := ParseRequest(tc.asked.object(t, "csr"))
			if err != nil {
				t.Fatal(err)
			}
			if tc.facts.Now.IsZero() {
				tc.facts.Now = day0
			}
			got, reason, message := Decide(r, tc.facts)
			if got != tc.want || reason != tc.reason {
				t.Errorf("%s %s (%s), want %s %s", got, reason, message, tc.want, tc.reason)
			}
			if !strings.Contains(message, tc.say) {
				t.Errorf("message %q, want one with %q in it", message, tc.say)
			}
			if got != Ignore && message == "" {
				t.Error("no message: kubectl would show nothing")
			}
		})
	}
}

func TestDecideJoin(t *testing.T) {
	free := func(id string) Facts { return Facts{Token: tokenOf(id, "", day0)} }
	bound := func(id, node string) Facts { return Facts{Token: tokenOf(id, node, day0)} }
	with := func(f Facts, change func(*Facts)) Facts { change(&f); return f }

	runCases(t, map[string]decisionCase{
		"AnUnboundToken": {asked: joining("abcdef", "a"), facts: free("abcdef"), want: Approve, reason: "TokenJoin"},
		"ABoundToken":    {asked: joining("abcdef", "a"), facts: bound("abcdef", "a"), want: Approve, reason: "TokenJoin"},
		"ALongName":      {asked: joining("abcdef", "worker-1.rack-2.example.org"), facts: free("abcdef"), want: Approve, reason: "TokenJoin"},
		"AnRSAKey": {asked: joining("abcdef", "a"), facts: free("abcdef"), want: Approve, reason: "TokenJoin",
			spoil: func(a *asked) {
				a.usages = []certificatesv1.KeyUsage{"key encipherment", "client auth", "digital signature"}
			}},
		"ATokenThatNeverExpires": {asked: joining("abcdef", "a"), want: Approve, reason: "TokenJoin",
			facts: with(free("abcdef"), func(f *Facts) { delete(f.Token.Data, "expiration") })},

		"ATokenOfAnotherNode": {asked: joining("abcdef", "b"), facts: bound("abcdef", "a"), want: Deny, reason: "TokenBound", say: `"a"`},
		"NoToken":             {asked: joining("abcdef", "a"), want: Deny, reason: "TokenInvalid", say: "join again"},
		"AnExpiredToken": {asked: joining("abcdef", "a"), want: Deny, reason: "TokenInvalid", say: "expired at 2026-03-01T13:00:00Z",
			facts: with(free("abcdef"), func(f *Facts) { f.Now = day0.Add(time.Hour) })},
		"ASecondBeforeItExpires": {asked: joining("abcdef", "a"), want: Approve, reason: "TokenJoin",
			facts: with(free("abcdef"), func(f *Facts) { f.Now = day0.Add(time.Hour - time.Second) })},
		"ATokenBeingDeleted": {asked: joining("abcdef", "a"), want: Deny, reason: "TokenInvalid",
			facts: with(free("abcdef"), func(f *Facts) { f.Token.DeletionTimestamp = &metav1.Time{Time: day0} })},
		"ASecretThatIsNoToken": {asked: joining("abcdef", "a"), want: Deny, reason: "TokenInvalid",
			facts: with(free("abcdef"), func(f *Facts) { f.Token.Type = corev1.SecretTypeOpaque })},
		"ASecretOfAnotherToken": {asked: joining("abcdef", "a"), facts: free("fedcba"), want: Deny, reason: "TokenInvalid"},
		"ATokenForSigningOnly": {asked: joining("abcdef", "a"), want: Deny, reason: "TokenInvalid",
			facts: with(free("abcdef"), func(f *Facts) { delete(f.Token.Data, "usage-bootstrap-authentication") })},
		"AnUnreadableExpiration": {asked: joining("abcdef", "a"), want: Deny, reason: "TokenInvalid",
			facts: with(free("abcdef"), func(f *Facts) { f.Token.Data["expiration"] = []byte("soon") })},
		"ATokenOfKubeadm": {asked: joining("abcdef", "a"), facts: free("abcdef"), want: Deny, reason: "WrongGroup", say: "--groups " + joiners,
			spoil: func(a *asked) {
				a.groups = []string{"system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token"}
			}},

		"ANodeOfThisName": {asked: joining("abcdef", "a"), want: Deny, reason: "NodeExists", say: "kubectl delete node a",
			facts: with(free("abcdef"), func(f *Facts) { f.Node = nodeOf("a") })},
		"ANodeOfThisNameAndABoundToken": {asked: joining("abcdef", "a"), want: Approve, reason: "TokenJoin",
			facts: with(bound("abcdef", "a"), func(f *Facts) { f.Node = nodeOf("a") })},
		"ANameThatAnotherTokenIsFor": {asked: joining("abcdef", "a"), want: Deny, reason: "NameBound", say: `"fedcba"`,
			facts: with(free("abcdef"), func(f *Facts) { f.BoundToken = "fedcba" })},
		"ANameOfOurMachine": {asked: joining("abcdef", "a"), want: Deny, reason: "NameBound", say: "another name",
			facts: with(free("abcdef"), func(f *Facts) { f.Known = true })},
		"ANameJustGivenAway": {asked: joining("abcdef", "a"), want: Deny, reason: "NameClaimed", say: "kubectl delete csr node-csr-1",
			facts: with(free("abcdef"), func(f *Facts) { f.ClaimedBy = "node-csr-1" })},
		"ABoundTokenTakesItAll": {asked: joining("abcdef", "a"), want: Approve, reason: "TokenJoin",
			facts: with(bound("abcdef", "a"), func(f *Facts) { f.ClaimedBy, f.BoundToken, f.Known = "x", "fedcba", true })},

		"NoNodeName":         spoilt("WrongSubject", "CN=", func(a *asked) { a.cn = "admin" }),
		"AnEmptyNodeName":    spoilt("WrongSubject", "", func(a *asked) { a.cn = "system:node:" }),
		"AnUpperCaseName":    spoilt("WrongSubject", "lower case", func(a *asked) { a.cn = "system:node:A" }),
		"ANameWithASlash":    spoilt("WrongSubject", "", func(a *asked) { a.cn = "system:node:a/b" }),
		"NoOrganization":     spoilt("WrongSubject", "system:nodes", func(a *asked) { a.org = nil }),
		"Masters":            spoilt("WrongSubject", "system:nodes", func(a *asked) { a.org = []string{"system:masters"} }),
		"MastersToo":         spoilt("WrongSubject", "", func(a *asked) { a.org = []string{"system:nodes", "system:masters"} }),
		"ADNSName":           spoilt("SANsNotAllowed", "x.example", func(a *asked) { a.dns = []string{"x.example"} }),
		"AnAddress":          spoilt("SANsNotAllowed", "10.0.0.1", func(a *asked) { a.ips = []string{"10.0.0.1"} }),
		"AnEmailAddress":     spoilt("SANsNotAllowed", "a@b", func(a *asked) { a.mails = []string{"a@b"} }),
		"AURI":               spoilt("SANsNotAllowed", "spiffe", func(a *asked) { a.uris = []string{"spiffe://x"} }),
		"ServerAuth":         spoilt("WrongUsages", "client auth", func(a *asked) { a.usages[1] = "server auth" }),
		"ServerAuthToo":      spoilt("WrongUsages", "", func(a *asked) { a.usages = append(a.usages, "server auth") }),
		"CertSign":           spoilt("WrongUsages", "", func(a *asked) { a.usages = append(a.usages, "cert sign") }),
		"NoUsages":           spoilt("WrongUsages", "", func(a *asked) { a.usages = nil }),
		"NoClientAuth":       spoilt("WrongUsages", "", func(a *asked) { a.usages = a.usages[:1] }),
		"TheAPIServersName":  spoilt("NameReserved", "another name", func(a *asked) { a.cn = "system:node:kubernetes.default.svc" }),
		"TheAPIServersShort": spoilt("NameReserved", "", func(a *asked) { a.cn = "system:node:kubernetes" }),
		"Localhost":          spoilt("NameReserved", "", func(a *asked) { a.cn = "system:node:localhost" }),
		"AService":           spoilt("NameReserved", "", func(a *asked) { a.cn = "system:node:dns.kube-system.svc.cluster.local" }),
		"AConfiguredName": {asked: joining("abcdef", "api.example.org"), want: Deny, reason: "NameReserved",
			facts: with(free("abcdef"), func(f *Facts) { f.Reserved.Names = []string{"api.example.org"} })},
		"ANameLikeTheAPIServers": {asked: joining("abcdef", "kubernetes-1"), facts: free("abcdef"), want: Approve, reason: "TokenJoin"},
	})
}

// spoilt is a join that would be approved if it were not for one thing.
func spoilt(reason, say string, spoil func(*asked)) decisionCase {
	return decisionCase{asked: joining("abcdef", "a"), facts: Facts{Token: tokenOf("abcdef", "", day0)}, spoil: spoil, want: Deny, reason: reason, say: say}
}

func TestDecideRenewal(t *testing.T) {
	runCases(t, map[string]decisionCase{
		"ItsOwn":            {asked: renewing("a"), want: Approve, reason: "SelfRenewal"},
		"ItsNodeExists":     {asked: renewing("a"), facts: Facts{Node: nodeOf("a")}, want: Approve, reason: "SelfRenewal"},
		"AnotherNodes":      {asked: renewing("a"), spoil: func(a *asked) { a.cn = "system:node:b" }, want: Deny, reason: "NotOwnName", say: "itself only"},
		"WithoutTheGroup":   {asked: renewing("a"), spoil: func(a *asked) { a.groups = []string{"system:authenticated"} }, want: Deny, reason: "NotANode"},
		"AnAdministrator":   {asked: renewing("a"), spoil: func(a *asked) { a.user = "admin" }, want: Deny, reason: "NotANode", say: "bootstrap token"},
		"APersonOfTheGroup": {asked: renewing("a"), spoil: func(a *asked) { a.user = "mallory" }, want: Deny, reason: "NotANode"},
		"WithSANs":          {asked: renewing("a"), spoil: func(a *asked) { a.ips = []string{"10.0.0.1"} }, want: Deny, reason: "SANsNotAllowed"},
		"WithMasters":       {asked: renewing("a"), spoil: func(a *asked) { a.org = []string{"system:nodes", "system:masters"} }, want: Deny, reason: "WrongSubject"},
		"ToServe":           {asked: renewing("a"), spoil: func(a *asked) { a.usages[1] = "server auth" }, want: Deny, reason: "WrongUsages"},
	})
}

func TestDecideIgnores(t *testing.T) {
	for _, signer := range []string{"kubernetes.io/kube-apiserver-client", "kubernetes.io/legacy-unknown", "example.com/any", ""} {
		t.Run(signer, func(t *testing.T) {
			a := joining("abcdef", "a")
			a.signer = signer
			r, err := ParseRequest(a.object(t, "csr"))
			if err != nil {
				t.Fatal(err)
			}
			if got, reason, message := Decide(r, Facts{Now: day0}); got != Ignore || reason+message != "" {
				t.Errorf("%s %s %s: want nothing, it is somebody else's to decide", got, reason, message)
			}
		})
	}
}
