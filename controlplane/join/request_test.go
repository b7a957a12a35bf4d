package join

import (
	"bytes"
	"encoding/pem"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestParseRequest(t *testing.T) {
	whole := joining("abcdef", "a").object(t, "csr").Spec.Request
	block, _ := pem.Decode(whole)
	forged := bytes.Clone(block.Bytes)
	forged[len(forged)-1] ^= 1 // in the signature
	cases := map[string]struct {
		data []byte
		bad  bool
	}{
		"ARequest":         {data: whole},
		"Nothing":          {bad: true},
		"NoPEM":            {data: []byte("x"), bad: true},
		"ACertificate":     {data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes}), bad: true},
		"HalfARequest":     {data: pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes[:50]}), bad: true},
		"ASpoiltSignature": {data: pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: forged}), bad: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			csr := joining("abcdef", "a").object(t, "csr")
			csr.Spec.Request = tc.data
			if _, err := ParseRequest(csr); (err != nil) != tc.bad {
				t.Errorf("error %v, want one: %v", err, tc.bad)
			}
		})
	}
}

func TestRunDeniesWhatCannotBeRead(t *testing.T) {
	csr := joining("abcdef", "a").object(t, "csr")
	csr.Spec.Request = []byte("x")
	inTenant(t, []runtime.Object{csr}, nil, func(c tenant) { c.want("csr", "Denied", "NotDecodable") })
}

// TestMessagesAreBounded: a strange request must not fill our log.
func TestMessagesAreBounded(t *testing.T) {
	a := joining("abcdef", "a")
	a.dns = strings.Split(strings.Repeat("xn--4ca.example,", 1000), ",")[:1000]
	r, err := ParseRequest(a.object(t, "csr"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, message := Decide(r, Facts{Token: tokenOf("abcdef", "", day0), Now: day0})
	if len(message) > 1010 {
		t.Errorf("a message of %d bytes", len(message))
	}
	r.User = "system:bootstrap:" + strings.Repeat("ä", 5000)
	if _, _, message := Decide(r, Facts{}); len(message) > 1010 || strings.ToValidUTF8(message, "?") != message {
		t.Errorf("a message of %d bytes, or one that is cut within a letter", len(message))
	}
}

func TestReservedNames(t *testing.T) {
	reserved := Reserved{Names: []string{"api.example.org"}}
	for name, want := range map[string]bool{
		"kubernetes": true, "kubernetes.default": true, "kubernetes.default.svc": true, "kubernetes.default.svc.cluster.local": true,
		"localhost": true, "dns.kube-system.svc": true, "dns.kube-system.svc.tenant.example": true, "api.example.org": true,
		"a": false, "kubernetes-1": false, "kubernetes.example.org": false, "svc": false, "svc.example.org": false, "a.api.example.org": false, "mysvc.example.org": false,
	} {
		if got := reserved.name(name); got != want {
			t.Errorf("%s: reserved %v, want %v", name, got, want)
		}
	}
	if got := (Request{Signer: "kubernetes.io/kubelet-serving"}).ours(); !got || certificatesv1.KubeletServingSignerName != servingSigner {
		t.Error("the signer of serving certificates is not ours")
	}
}
