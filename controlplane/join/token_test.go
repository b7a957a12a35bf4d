package join

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	bootstraputil "k8s.io/cluster-bootstrap/token/util"

	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// seeded is randomness that is the same each time.
func seeded(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func TestCreateToken(t *testing.T) {
	client := fake.NewClientset()
	req := TokenRequest{TTL: 30 * time.Minute, NodeName: "worker-1", Description: "machine 42"}
	token, err := CreateToken(context.Background(), client, req, day0.Add(300*time.Millisecond), seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	if !bootstraputil.IsValidBootstrapToken(token.Value()) {
		t.Errorf("%q is no bootstrap token", token.Value())
	}
	if want := day0.Add(30 * time.Minute); !token.Expires.Equal(want) {
		t.Errorf("expires %s, want %s", token.Expires, want)
	}
	got, err := client.CoreV1().Secrets("kube-system").Get(context.Background(), "bootstrap-token-"+token.ID, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: "bootstrap-token-" + token.ID, Namespace: "kube-system",
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "marina"},
			Annotations: map[string]string{"marina.dev/node-name": "worker-1"},
		},
		Type: "bootstrap.kubernetes.io/token",
		Data: map[string][]byte{
			"token-id": []byte(token.ID), "token-secret": []byte(token.Secret),
			"expiration":                     []byte("2026-03-01T12:30:00Z"),
			"description":                    []byte("machine 42"),
			"usage-bootstrap-authentication": []byte("true"),
			"usage-bootstrap-signing":        []byte("true"),
			"auth-extra-groups":              []byte("system:bootstrappers:marina:nodes"),
		},
	}
	got.TypeMeta, got.ManagedFields = metav1.TypeMeta{}, nil // what the fake adds
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Secret (-want +got):\n%s", diff)
	}
}

func TestCreateTokenLimits(t *testing.T) {
	if DefaultTokenTTL != 30*time.Minute || MaxTokenTTL != 24*time.Hour {
		t.Errorf("default %s, maximum %s; promised are 30m and 24h", DefaultTokenTTL, MaxTokenTTL)
	}
	cases := map[string]struct {
		ttl    time.Duration
		node   string
		reason string // empty: it is made
	}{
		"TheDefault":      {ttl: DefaultTokenTTL},
		"ADayExactly":     {ttl: 24 * time.Hour},
		"ASecond":         {ttl: time.Second},
		"ADottedName":     {ttl: time.Hour, node: "a.example.org"},
		"ADayAndABit":     {ttl: 24*time.Hour + 1, reason: "InvalidTTL"},
		"Zero":            {ttl: 0, reason: "InvalidTTL"},
		"LessThanASecond": {ttl: 999 * time.Millisecond, reason: "InvalidTTL"},
		"Negative":        {ttl: -time.Second, reason: "InvalidTTL"},
		"Overflow":        {ttl: math.MaxInt64, reason: "InvalidTTL"},
		"UpperCase":       {ttl: time.Hour, node: "Worker", reason: "InvalidNodeName"},
		"ASlash":          {ttl: time.Hour, node: "a/b", reason: "InvalidNodeName"},
		"ASpace":          {ttl: time.Hour, node: " ", reason: "InvalidNodeName"},
		"TooLong":         {ttl: time.Hour, node: strings.Repeat("a", 254), reason: "InvalidNodeName"},
		"TheAPIServer":    {ttl: time.Hour, node: "kubernetes", reason: "InvalidNodeName"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			_, err := CreateToken(context.Background(), client, TokenRequest{TTL: tc.ttl, NodeName: tc.node}, day0, seeded(1))
			if tc.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *reconcile.Error
			if !errors.As(err, &e) || e.Kind != reconcile.KindUser || e.Reason != tc.reason {
				t.Errorf("error %v, want a user's with reason %s", err, tc.reason)
			}
			if len(client.Actions()) > 0 {
				t.Error("something was written all the same")
			}
		})
	}
}

func TestCreateTokenDrawsAgain(t *testing.T) {
	client := fake.NewClientset()
	first, err := CreateToken(context.Background(), client, TokenRequest{TTL: time.Hour}, day0, seeded(1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := CreateToken(context.Background(), client, TokenRequest{TTL: time.Hour}, day0, seeded(1))
	if err != nil {
		t.Fatalf("an identifier that exists: %v, want another one", err)
	}
	if first.ID == second.ID {
		t.Error("two tokens with one identifier")
	}
	if _, err := CreateToken(context.Background(), client, TokenRequest{TTL: time.Hour}, day0, bytes.NewReader(make([]byte, 10))); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("randomness that ends: %v, want its error", err)
	}
}

func TestRandomTextIsEven(t *testing.T) {
	const n = 360_000
	text, err := randomText(seeded(7), n)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[rune]int{}
	for _, c := range text {
		counts[c]++
	}
	for _, c := range "0123456789abcdefghijklmnopqrstuvwxyz" {
		// Each is expected 10,000 times, give or take 100; a remainder of 256 would make
		// four of them come 14 percent more often.
		if got := counts[c]; got < 9_500 || got > 10_500 {
			t.Errorf("%c came %d times of %d, want about 10000", c, got, n)
		}
	}
}

func TestTokenPrintsWithoutItsSecret(t *testing.T) {
	token := Token{ID: "abcdef", Secret: "0123456789abcdef", Expires: day0}
	if got := token.Value(); got != "abcdef.0123456789abcdef" {
		t.Errorf("Value %q", got)
	}
	asJSON, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%+v %#v", token, token), fmt.Sprintf("%v", struct{ T Token }{token}), string(asJSON)} {
		if strings.Contains(text, token.Secret) || !strings.Contains(text, "abcdef") {
			t.Errorf("%q: want the identifier and no secret", text)
		}
	}
}

func TestCACertHash(t *testing.T) {
	ca, err := pki.NewCA("demo", day0, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewCA("demo", day0, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := CACertHash(append(bytes.Clone(ca.CertPEM), other.CertPEM...))
	if err != nil {
		t.Fatal(err)
	}
	alone, err := CACertHash(ca.CertPEM)
	if err != nil {
		t.Fatal(err)
	}
	if got != alone || len(got) != len("sha256:")+64 || !strings.HasPrefix(got, "sha256:") {
		t.Errorf("got %q and %q, want the first certificate's hash", got, alone)
	}
	if _, err := CACertHash(ca.KeyPEM); err == nil {
		t.Error("a key has a hash, want an error")
	}
}
