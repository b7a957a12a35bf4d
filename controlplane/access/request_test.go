package access

import (
	"crypto/x509"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

var day0 = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func newCA(t testing.TB, validity time.Duration) pki.KeyPair {
	t.Helper()
	ca, err := pki.NewCA("demo", day0, validity)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// wantReason checks that an error is one of package reconcile, for a person to act on.
func wantReason(t testing.TB, err error, kind reconcile.Kind, reason string) {
	t.Helper()
	var e *reconcile.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Reason != reason {
		t.Fatalf("error %v, want kind %d with reason %s", err, kind, reason)
	}
}

func TestDefaultsAndLimits(t *testing.T) {
	if DefaultTTL != 24*time.Hour || MaxTTL != 720*time.Hour || DefaultUser != "admin" {
		t.Errorf("default %s, maximum %s, user %q; promised are 24h, 720h and admin", DefaultTTL, MaxTTL, DefaultUser)
	}
}

func TestIssueTTL(t *testing.T) {
	cases := map[string]struct {
		ttl, ca time.Duration
		want    time.Duration // zero: refused
	}{
		"ADay":               {ttl: 24 * time.Hour, want: 24 * time.Hour},
		"ASecond":            {ttl: time.Second, want: time.Second},
		"ThirtyDaysExactly":  {ttl: 30 * day, want: 30 * day},
		"ASecondMore":        {ttl: 30*day + time.Second},
		"ANanosecondMore":    {ttl: 30*day + 1},
		"ThirtyOneDays":      {ttl: 31 * day},
		"Zero":               {ttl: 0},
		"LessThanASecond":    {ttl: time.Second - 1},
		"Negative":           {ttl: -time.Second},
		"TheMostNegative":    {ttl: math.MinInt64},
		"Overflow":           {ttl: math.MaxInt64},
		"NotLongerThanTheCA": {ttl: 30 * day, ca: 10 * day, want: 10 * day},
		"AsLongAsTheCA":      {ttl: 10 * day, ca: 10 * day, want: 10 * day},
		"TheCAEndsInASecond": {ttl: day, ca: time.Second, want: time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pair, notAfter, err := Issue(newCA(t, tc.ca), Request{TTL: tc.ttl}, day0)
			if tc.want == 0 {
				wantReason(t, err, reconcile.KindUser, "InvalidTTL")
				if !strings.Contains(err.Error(), "720h") || len(pair.KeyPEM) > 0 {
					t.Errorf("error %v: want one that tells the limit, and no pair", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			cert, err := pair.Certificate()
			if err != nil {
				t.Fatal(err)
			}
			if want := day0.Add(tc.want); !notAfter.Equal(want) || !cert.NotAfter.Equal(want) {
				t.Errorf("told %s, certificate %s; want %s", notAfter, cert.NotAfter, want)
			}
		})
	}
}

func TestIssueNames(t *testing.T) {
	cases := map[string]struct {
		req        Request
		wantUser   string // empty: refused
		wantGroups []string
		wantReason string
		wantWarn   bool
	}{
		"Nobody":               {req: Request{}, wantUser: "admin", wantGroups: []string{"marina:cluster-admins"}},
		"AUserAlone":           {req: Request{User: "alice"}, wantUser: "alice"},
		"TheDefaultUserByName": {req: Request{User: "admin"}, wantUser: "admin"},
		"AGroupAlone":          {req: Request{Groups: []string{"viewers"}}, wantUser: "admin", wantGroups: []string{"viewers"}},
		"Both":                 {req: Request{User: "alice@example.org", Groups: []string{"b", "a", "b"}}, wantUser: "alice@example.org", wantGroups: []string{"a", "b"}},
		"AdministratorsByName": {req: Request{User: "alice", Groups: []string{"marina:cluster-admins"}}, wantUser: "alice", wantGroups: []string{"marina:cluster-admins"}},
		"Masters":              {req: Request{Groups: []string{"system:masters"}}, wantUser: "admin", wantGroups: []string{"system:masters"}, wantWarn: true},
		"MastersAmongOthers":   {req: Request{User: "bob", Groups: []string{"a", "system:masters"}}, wantUser: "bob", wantGroups: []string{"a", "system:masters"}, wantWarn: true},

		"ASystemUser":        {req: Request{User: "system:admin"}, wantReason: "InvalidUser"},
		"MastersAsUser":      {req: Request{User: "system:masters"}, wantReason: "InvalidUser"},
		"ANode":              {req: Request{User: "system:node:a"}, wantReason: "InvalidUser"},
		"AServiceAccount":    {req: Request{User: "system:serviceaccount:kube-system:x"}, wantReason: "InvalidUser"},
		"AnEmptyLook":        {req: Request{User: "  "}, wantReason: "InvalidUser"},
		"ASpaceInFront":      {req: Request{User: " system:admin"}, wantReason: "InvalidUser"},
		"AnInvisibleLetter":  {req: Request{User: "alice\u200b"}, wantReason: "InvalidUser"},
		"ANewLine":           {req: Request{User: "a\nb"}, wantReason: "InvalidUser"},
		"ALongName":          {req: Request{User: strings.Repeat("a", 65)}, wantReason: "InvalidUser"},
		"ASystemGroup":       {req: Request{Groups: []string{"system:nodes"}}, wantReason: "InvalidGroup"},
		"AMastersLookalike":  {req: Request{Groups: []string{"system:masters "}}, wantReason: "InvalidGroup"},
		"AnEmptyGroup":       {req: Request{User: "alice", Groups: []string{""}}, wantReason: "InvalidGroup"},
		"AGroupWithAZero":    {req: Request{Groups: []string{"a\x00"}}, wantReason: "InvalidGroup"},
		"MoreGroupsThanRoom": {req: Request{Groups: slices.Repeat([]string{"a"}, 33)}, wantReason: "InvalidGroup"},
	}
	ca := newCA(t, 0)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.req.TTL = DefaultTTL
			pair, _, err := Issue(ca, tc.req, day0)
			if tc.wantUser == "" {
				wantReason(t, err, reconcile.KindUser, tc.wantReason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			cert, err := pair.Certificate()
			if err != nil {
				t.Fatal(err)
			}
			if cert.Subject.CommonName != tc.wantUser {
				t.Errorf("user %q, want %q", cert.Subject.CommonName, tc.wantUser)
			}
			if diff := cmp.Diff(tc.wantGroups, cert.Subject.Organization, cmpopts.EquateEmpty(), cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || cert.IsCA {
				t.Errorf("usages %v, CA %v: want a client's certificate and nothing else", cert.ExtKeyUsage, cert.IsCA)
			}
			warnings := strings.Join(tc.req.Warnings(), "\n")
			if got := strings.Contains(warnings, "bypasses RBAC"); got != tc.wantWarn {
				t.Errorf("warnings %q, want one about RBAC: %v", warnings, tc.wantWarn)
			}
		})
	}
}

func TestIssueWithABadCA(t *testing.T) {
	expired, other := newCA(t, time.Hour), newCA(t, 0)
	cases := map[string]struct {
		ca  pki.KeyPair
		now time.Time
	}{
		"Expired":     {expired, day0.Add(2 * time.Hour)},
		"Nothing":     {pki.KeyPair{}, day0},
		"AnotherKey":  {pki.KeyPair{CertPEM: expired.CertPEM, KeyPEM: other.KeyPEM}, day0},
		"SpoiltKey":   {pki.KeyPair{CertPEM: other.CertPEM, KeyPEM: []byte("x")}, day0},
		"WithoutAKey": {pki.KeyPair{CertPEM: other.CertPEM}, day0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := Issue(tc.ca, Request{TTL: DefaultTTL}, tc.now)
			wantReason(t, err, reconcile.KindUser, "CAUnusable")
			if !errors.Is(err, pki.ErrCA) {
				t.Errorf("error %v has no pki.ErrCA in its chain", err)
			}
		})
	}
}
