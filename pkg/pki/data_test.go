package pki

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEnsureSecretData(t *testing.T) {
	signer := mustCA(t, "kubernetes", day0, 0)
	ca := SecretData(signer, []byte("trusted"))
	stored := SecretData(mustIssue(t, signer, client(), day0), []byte("trusted"))
	without := func(key string) map[string][]byte {
		data := maps.Clone(stored)
		delete(data, key)
		return data
	}
	year, hour := 8_760*time.Hour, time.Hour

	cases := map[string]struct {
		stored map[string][]byte
		since  time.Time
		now    time.Time

		wantReason string
		wantNew    bool
		wantRenew  time.Time
	}{
		"what is good stays":                    {stored: stored, now: day0.Add(hour), wantRenew: day0.Add(year * 2 / 3)},
		"the first one replaces nothing":        {now: day0, wantNew: true, wantRenew: day0.Add(year * 2 / 3)},
		"an empty Secret as well":               {stored: map[string][]byte{CAKey: []byte("trusted")}, now: day0, wantNew: true, wantRenew: day0.Add(year * 2 / 3)},
		"half a pair is replaced":               {stored: without(PrivateKeyKey), now: day0, wantReason: "Missing", wantNew: true, wantRenew: day0.Add(year * 2 / 3)},
		"what is due is replaced":               {stored: stored, now: day0.Add(year * 2 / 3), wantReason: "ExpiresSoon", wantNew: true, wantRenew: day0.Add(year * 4 / 3)},
		"what is asked for is replaced":         {stored: stored, now: day0.Add(hour), since: day0.Add(hour), wantReason: "RenewalRequested", wantNew: true, wantRenew: day0.Add(hour + year*2/3)},
		"what is asked for later is waited for": {stored: stored, now: day0.Add(hour), since: day0.Add(2 * hour), wantRenew: day0.Add(2 * hour)},
		"whom to trust is not what is stored":   {stored: without(CAKey), now: day0, wantRenew: day0.Add(year * 2 / 3)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := client()
			req.IssuedSince = tc.since
			got, err := EnsureSecretData(tc.stored, ca, req, tc.now)
			if err != nil {
				t.Fatal(err)
			}
			if got.Reason != tc.wantReason || (got.Message != "") != (tc.wantReason != "") {
				t.Errorf("replaced for %q, %q; want %q", got.Reason, got.Message, tc.wantReason)
			}
			if isNew := !cmp.Equal(got.Data[CertKey], tc.stored[CertKey]) || !cmp.Equal(got.Data[PrivateKeyKey], tc.stored[PrivateKeyKey]); isNew != tc.wantNew {
				t.Errorf("a new pair: %v, want %v", isNew, tc.wantNew)
			}
			if string(got.Data[CAKey]) != "trusted" {
				t.Errorf("it trusts %q, want what the CA's Secret says", got.Data[CAKey])
			}
			if !got.RenewAt.Equal(tc.wantRenew) {
				t.Errorf("due at %s, want %s", got.RenewAt, tc.wantRenew)
			}
			again, err := EnsureSecretData(got.Data, ca, req, tc.now)
			if err != nil || again.Reason != "" || !cmp.Equal(again.Data, got.Data) || !again.RenewAt.Equal(got.RenewAt) {
				t.Errorf("asked again at the same time it wants another one: %q (%v)", again.Reason, err)
			}
		})
	}
}
