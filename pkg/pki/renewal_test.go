package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLeafPolicies(t *testing.T) {
	ca := mustCA(t, "kubernetes", day0, 0)
	sameName := mustCA(t, "kubernetes", day0, 0)
	pair := mustIssue(t, ca, serving(), day0)
	another := mustIssue(t, ca, serving(), day0)
	wanted := func(change func(*Request)) Request {
		req := serving()
		change(&req)
		return req
	}
	since := func(after time.Duration) func(*Request) {
		return func(r *Request) { r.IssuedSince = day0.Add(after) }
	}
	year := 8_760 * time.Hour

	cases := map[string]struct {
		stored KeyPair
		ca     KeyPair
		req    Request
		now    time.Time
		want   string // empty: the pair stays
	}{
		"Fresh": {stored: pair},

		"NothingStored":     {stored: KeyPair{}, want: "Missing"},
		"KeyMissing":        {stored: KeyPair{CertPEM: pair.CertPEM}, want: "Missing"},
		"CertMissing":       {stored: KeyPair{KeyPEM: pair.KeyPEM}, want: "Missing"},
		"CertIsJunk":        {stored: KeyPair{CertPEM: []byte("junk"), KeyPEM: pair.KeyPEM}, want: "NotDecodable"},
		"CertIsCut":         {stored: KeyPair{CertPEM: pair.CertPEM[:len(pair.CertPEM)/2], KeyPEM: pair.KeyPEM}, want: "NotDecodable"},
		"CertBlockOfJunk":   {stored: KeyPair{CertPEM: block("CERTIFICATE", []byte("junk")), KeyPEM: pair.KeyPEM}, want: "NotDecodable"},
		"KeyIsJunk":         {stored: KeyPair{CertPEM: pair.CertPEM, KeyPEM: []byte("junk")}, want: "NotDecodable"},
		"KeyBlockOfJunk":    {stored: KeyPair{CertPEM: pair.CertPEM, KeyPEM: block("EC PRIVATE KEY", []byte("junk"))}, want: "NotDecodable"},
		"KeyIsRSA":          {stored: KeyPair{CertPEM: pair.CertPEM, KeyPEM: rsaKey(t)}, want: "NotDecodable"},
		"KeyIsPKCS8":        {stored: KeyPair{CertPEM: pair.CertPEM, KeyPEM: asPKCS8(t, pair)}},
		"KeyAfterParams":    {stored: KeyPair{CertPEM: pair.CertPEM, KeyPEM: append(block("EC PARAMETERS", []byte{6, 0}), pair.KeyPEM...)}},
		"KeyOfAnother":      {stored: KeyPair{CertPEM: pair.CertPEM, KeyPEM: another.KeyPEM}, want: "KeyMismatch"},
		"CAOfTheSameName":   {stored: pair, ca: sameName, want: "OtherCA"},
		"CABundleOldFirst":  {stored: pair, ca: bundle(ca, sameName)},
		"CABundleNewFirst":  {stored: pair, ca: bundle(sameName, ca), want: "OtherCA"},
		"CAOfAnotherName":   {stored: pair, ca: mustCA(t, "kubernetes-2", day0, 0), want: "OtherCA"},
		"CARenamed":         {stored: pair, ca: renamed(t, ca, "kubernetes-2"), want: "OtherCA"},
		"CARenewed":         {stored: pair, ca: renamed(t, ca, "kubernetes")},
		"CommonNameChanged": {stored: pair, req: wanted(func(r *Request) { r.CommonName = "other" }), want: "OtherSubject"},
		"GroupAdded":        {stored: pair, req: wanted(func(r *Request) { r.Organization = append(r.Organization, "more") }), want: "OtherSubject"},
		"GroupRemoved":      {stored: pair, req: wanted(func(r *Request) { r.Organization = nil }), want: "OtherSubject"},
		"GroupsReordered":   {stored: pair, req: wanted(func(r *Request) { slices.Reverse(r.Organization) })},

		"NameAdded":       {stored: pair, req: wanted(func(r *Request) { r.DNSNames = append(r.DNSNames, "new.example.org") }), want: "SANsMissing"},
		"AddressAdded":    {stored: pair, req: wanted(func(r *Request) { r.IPs = append(r.IPs, netip.MustParseAddr("10.96.0.2")) }), want: "SANsMissing"},
		"NameRemoved":     {stored: pair, req: wanted(func(r *Request) { r.DNSNames = r.DNSNames[:1] })},
		"AddressRemoved":  {stored: pair, req: wanted(func(r *Request) { r.IPs = nil })},
		"SANsReordered":   {stored: pair, req: wanted(func(r *Request) { slices.Reverse(r.DNSNames); slices.Reverse(r.IPs) })},
		"AddressIn6Form":  {stored: pair, req: wanted(func(r *Request) { r.IPs = []netip.Addr{netip.MustParseAddr("::ffff:10.96.0.1")} })},
		"UsageAdded":      {stored: pair, req: wanted(func(r *Request) { r.Usage |= ClientAuth }), want: "OtherUsages"},
		"UsageChanged":    {stored: pair, req: wanted(func(r *Request) { r.Usage = ClientAuth }), want: "OtherUsages"},
		"UsageTaken":      {stored: mustIssue(t, ca, wanted(func(r *Request) { r.Usage |= ClientAuth }), day0), want: "OtherUsages"},
		"ClockWentBack":   {stored: pair, now: day0.Add(-time.Hour), want: "NotYetValid"},
		"WithinClockSkew": {stored: pair, now: day0.Add(-4 * time.Minute)},

		"TwoThirdsNotOver":  {stored: pair, now: day0.Add(year*2/3 - time.Second)},
		"TwoThirdsOver":     {stored: pair, now: day0.Add(year * 2 / 3), want: "ExpiresSoon"},
		"LastMoment":        {stored: pair, now: day0.Add(year), want: "ExpiresSoon"},
		"Over":              {stored: pair, now: day0.Add(year + time.Second), want: "Expired"},
		"ValidityShortened": {stored: pair, req: wanted(func(r *Request) { r.Validity = time.Hour })},

		"AskedForBefore":        {stored: pair, req: wanted(since(-time.Hour)), now: day0.Add(time.Hour)},
		"AskedForInItsSecond":   {stored: pair, req: wanted(since(999 * time.Millisecond)), now: day0.Add(time.Hour)},
		"AskedForSince":         {stored: pair, req: wanted(since(time.Second)), now: day0.Add(time.Hour), want: "RenewalRequested"},
		"AskedForNow":           {stored: pair, req: wanted(since(time.Hour)), now: day0.Add(time.Hour), want: "RenewalRequested"},
		"AskedForWithinASecond": {stored: pair, req: wanted(since(time.Hour + 200*time.Millisecond)), now: day0.Add(time.Hour + 700*time.Millisecond), want: "RenewalRequested"},
		// The clock of who asked is ahead, or ours was set back.
		"AskedForInTheFuture":   {stored: pair, req: wanted(since(2 * time.Hour)), now: day0.Add(time.Hour)},
		"AskedForAndDue":        {stored: pair, req: wanted(since(time.Hour)), now: day0.Add(year * 2 / 3), want: "ExpiresSoon"},
		"AskedForAndOfOtherCA":  {stored: pair, ca: sameName, req: wanted(since(time.Hour)), now: day0.Add(time.Hour), want: "OtherCA"},
		"AskedForAndNotYetTime": {stored: pair, req: wanted(since(-2 * time.Hour)), now: day0.Add(-time.Hour), want: "NotYetValid"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.ca.CertPEM == nil {
				tc.ca = ca
			}
			if tc.req.CommonName == "" {
				tc.req = serving()
			}
			if tc.now.IsZero() {
				tc.now = day0
			}
			in, err := Load(tc.stored, tc.ca.CertPEM, tc.req, tc.now)
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			reason, message, violated := Evaluate(LeafPolicies(), in)
			if reason != tc.want || violated != (tc.want != "") || violated != (message != "") {
				t.Fatalf("Evaluate = %q, %q, %v; want %q", reason, message, violated, tc.want)
			}
			assertNoKey(t, message, tc.stored.KeyPEM)
			if !violated {
				return
			}
			in, err = Load(mustIssue(t, ca, tc.req, tc.now), ca.CertPEM, tc.req, tc.now)
			if err != nil {
				t.Fatalf("Load after renewal: %v", err)
			}
			if reason, message, violated := Evaluate(LeafPolicies(), in); violated {
				t.Errorf("renewed and still violated: %s, %s: this would never end", reason, message)
			}
		})
	}
}

// TestPoliciesAbstain: on its own, a policy must not fall over a pair that cannot be read.
func TestPoliciesAbstain(t *testing.T) {
	ca := mustCA(t, "kubernetes", day0, 0)
	in, err := Load(KeyPair{}, ca.CertPEM, client(), day0)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	for _, policy := range LeafPolicies()[2:] {
		if reason, message, violated := policy(in); violated {
			t.Errorf("%s, %q: nothing is stored, so only Missing and NotDecodable may say so", reason, message)
		}
	}
}

func TestRenewalEndsWithTheCA(t *testing.T) {
	// A minute before its end the CA signs certificates of a minute. Were they due at once, the
	// controller would issue one after the other until the CA is gone.
	ca := mustCA(t, "kubernetes", day0, 24*time.Hour)
	now := day0.Add(24*time.Hour - time.Minute)
	cert := mustCert(t, mustIssue(t, ca, client(), now))
	if got, want := RenewAt(cert), now.Add(40*time.Second); !got.Equal(want) {
		t.Errorf("RenewAt = %s, want %s, when 20 of 60 s are left", got, want)
	}
}

func TestLoadRefusesWhatCannotBeIssued(t *testing.T) {
	ca := mustCA(t, "kubernetes", day0, 0)
	pair := mustIssue(t, ca, client(), day0)
	if _, err := Load(pair, nil, client(), day0); !errors.Is(err, ErrCA) {
		t.Errorf("no CA: %v, want ErrCA", err)
	}
	if _, err := Load(pair, pair.CertPEM, client(), day0); !errors.Is(err, ErrCA) {
		t.Errorf("a CA that is none: %v, want ErrCA", err)
	}
	var reqErr *RequestError
	if _, err := Load(pair, ca.CertPEM, Request{}, day0); !errors.As(err, &reqErr) {
		t.Errorf("an empty request: %v, want a *RequestError", err)
	}
}

// assertNoKey fails when text contains any line of the key.
func assertNoKey(t testing.TB, text string, keyPEM []byte) {
	t.Helper()
	for line := range bytes.Lines(keyPEM) {
		if secret := strings.TrimSpace(string(line)); len(secret) > 8 && strings.Contains(text, secret) {
			t.Errorf("%q contains the key", text)
		}
	}
}

func block(kind string, data []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
}

func bundle(pairs ...KeyPair) KeyPair {
	var all KeyPair
	for _, pair := range pairs {
		all.CertPEM = append(all.CertPEM, pair.CertPEM...)
	}
	return all
}

// renamed is a CA with the key of another.
func renamed(t testing.TB, ca KeyPair, name string) KeyPair {
	t.Helper()
	key, err := ca.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	template := mustCert(t, mustCA(t, name, day0, 0))
	template.PublicKey = &key.PublicKey
	again, err := sign(template, template, key, key, ca.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func rsaKey(t testing.TB) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

func asPKCS8(t testing.TB, pair KeyPair) []byte {
	t.Helper()
	key, err := pair.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}
