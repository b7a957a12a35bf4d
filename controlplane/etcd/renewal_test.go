package etcd

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/pki"
)

// told are the Events since it was asked last.
func told(recorder *events.FakeRecorder) (all []string) {
	for {
		select {
		case event := <-recorder.Events:
			all = append(all, event)
		default:
			slices.Sort(all)
			return all
		}
	}
}

// expiry is when the certificate in a Secret ends, and when it falls due.
func expiry(t testing.TB, secret *corev1.Secret) (notAfter, due time.Time) {
	t.Helper()
	pair, _ := pki.FromSecretData(secret.Data)
	cert, err := pair.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	return cert.NotAfter, pki.RenewAt(cert)
}

// TestClusterCertificatesOverTwoYears walks through two years week by week.
func TestClusterCertificatesOverTwoYears(t *testing.T) {
	s := newStill(t)
	s.pass(s.api)
	if got := told(s.events); len(got) > 0 {
		t.Errorf("told of the first ones, which replace nothing: %q", got)
	}
	renewals := map[string]int{}
	for week := range 104 {
		before := s.secrets()
		s.now = day0.Add(time.Duration(week) * 7 * 24 * time.Hour)
		s.pass(s.api)
		after := s.secrets()
		var want []string
		for name, secret := range before {
			notAfter, due := expiry(t, secret)
			isCA := strings.HasSuffix(name, "ca")
			replaced := !cmp.Equal(secret.Data, after[name].Data)
			if !s.now.Before(notAfter) {
				t.Fatalf("week %d: %s had expired at %s", week, name, notAfter)
			}
			if wanted := !s.now.Before(due) && !isCA; replaced != wanted {
				t.Fatalf("week %d: %s, due at %s, was replaced: %v, want %v", week, name, due, replaced, wanted)
			}
			if replaced {
				renewals[name]++
				want = append(want, "Normal CertificateRenewed "+name+": ExpiresSoon: the certificate expires at "+notAfter.Format(time.RFC3339)+", its renewal is due since "+due.Format(time.RFC3339))
			}
			if _, due := expiry(t, after[name]); !isCA && (s.again <= 0 || s.now.Add(s.again).After(due)) {
				t.Fatalf("week %d: it looks again after %s, when %s is due at %s", week, s.again, name, due)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, told(s.events)); diff != "" {
			t.Errorf("week %d: Events (-want +got):\n%s", week, diff)
		}
		s.pass(s.api)
		if diff := cmp.Diff(after, s.secrets()); diff != "" {
			t.Fatalf("week %d: a second pass at the same time wrote:\n%s", week, diff)
		}
	}
	// Eight months each: a year's certificate is renewed in the 35th week, the 70th, ...
	want := map[string]int{"etcd-default-server": 2, "etcd-default-peer": 2, "etcd-default-root": 2}
	if diff := cmp.Diff(want, renewals); diff != "" {
		t.Errorf("renewals (-want +got):\n%s", diff)
	}
}

// TestAClockThatJumps: what a clock that was ahead has issued is not valid when it is
// set right again.
func TestAClockThatJumps(t *testing.T) {
	s := newStill(t)
	s.pass(s.api)
	first := s.secrets()
	s.now = day0.Add(365 * 24 * time.Hour * 2 / 3)
	s.pass(s.api)
	told(s.events)
	s.now = s.now.Add(-24 * time.Hour)
	s.pass(s.api)
	for _, name := range []string{"server", "peer", "root"} {
		pair, _ := pki.FromSecretData(s.secrets()["etcd-default-"+name].Data)
		cert, err := pair.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if s.now.Before(cert.NotBefore) {
			t.Errorf("%s is valid from %s only, a day ahead of the clock", name, cert.NotBefore)
		}
	}
	got := told(s.events)
	if len(got) != 3 || !strings.Contains(strings.Join(got, ""), "NotYetValid: the certificate is valid from ") {
		t.Errorf("Events %q, want one of each of three certificates that were not valid yet", got)
	}
	if after := s.secrets(); !cmp.Equal(first["etcd-default-ca"].Data, after["etcd-default-ca"].Data) {
		t.Error("the CA was replaced")
	}
}

// TestWhatOneCACannotSignDoesNotHoldUpTheOthers: members would lose each other
// because clients' CA is spoilt.
func TestWhatOneCACannotSignDoesNotHoldUpTheOthers(t *testing.T) {
	s := newStill(t)
	s.pass(s.api)
	ca := s.secrets()["etcd-default-ca"]
	ca.Data[pki.PrivateKeyKey] = []byte("spoilt")
	if err := s.api.Update(context.Background(), ca); err != nil {
		t.Fatal(err)
	}
	before := s.secrets()
	s.now = day0.Add(365 * 24 * time.Hour * 2 / 3)
	s.pass(s.api)
	after := s.secrets()
	for name, same := range map[string]bool{"etcd-default-server": true, "etcd-default-peer": false} {
		if cmp.Equal(before[name].Data, after[name].Data) != same {
			t.Errorf("%s: unchanged is %v, want %v", name, !same, same)
		}
	}
	s.want("SpecAccepted", "False", "CAUnusable", "restore it from a backup")
	if _, due := expiry(t, after["etcd-default-peer"]); s.again <= 0 || s.now.Add(s.again).After(due) {
		t.Errorf("it looks again after %s, when the peers' certificate is due at %s", s.again, due)
	}
}

// TestACacheThatIsBehind shows a renewed certificate as it was before: renewing it
// once more would replace a pair that has just been handed out.
func TestACacheThatIsBehind(t *testing.T) {
	s := newStill(t)
	s.pass(s.api)
	old := s.secrets()
	s.now = day0.Add(365 * 24 * time.Hour * 2 / 3)
	s.pass(s.api)
	told(s.events)
	renewed := s.secrets()
	reads := 0
	s.pass(interceptor.NewClient(s.api, interceptor.Funcs{
		Get: func(ctx context.Context, api client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if secret, ok := obj.(*corev1.Secret); ok && old[key.Name] != nil {
				reads++
				old[key.Name].DeepCopyInto(secret)
				return nil
			}
			return api.Get(ctx, key, obj, opts...)
		},
	}))
	if reads == 0 {
		t.Fatal("nothing was read from the old cache")
	}
	if diff := cmp.Diff(renewed, s.secrets()); diff != "" {
		t.Errorf("renewed once more:\n%s", diff)
	}
	if got := told(s.events); len(got) > 0 || s.again != time.Second {
		t.Errorf("told %q and looks again after %s, want nothing told and another look in a second", got, s.again)
	}
}

// TestTenantCertificateIsRenewed when it is due, when somebody asks for it, and when
// a clock is set back; and for nothing else.
func TestTenantCertificateIsRenewed(t *testing.T) {
	w := sharedWorld(t)
	tenant := w.addTenant(t, "r")
	t.Cleanup(func() { w.removeTenant(t, tenant) })
	now := time.Now().Truncate(time.Second)
	recorder := events.NewFakeRecorder(10)
	r := &TenantReconciler{Client: w.api, Pool: w.pool, Now: func() time.Time { return now }, events: recorder}
	ask := func(at time.Time) {
		if err := w.api.Get(context.Background(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
			t.Fatal(err)
		}
		tenant.Spec.CertificatesNotBefore = &metav1.Time{Time: at}
		if err := w.api.Update(context.Background(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	due := 365 * 24 * time.Hour * 2 / 3

	for _, step := range []struct {
		name   string
		change func()
		want   string
		again  time.Duration
	}{
		{"nothing has changed", func() {}, "", time.Hour},
		{"somebody asks", func() { now = now.Add(time.Hour); ask(now) }, "RenewalRequested", time.Hour},
		{"what was asked for is done", func() {}, "", time.Hour},
		{"somebody asks whose clock is ahead", func() { ask(now.Add(time.Minute)) }, "", time.Minute},
		{"its time has come", func() { now = now.Add(time.Minute) }, "RenewalRequested", time.Hour},
		{"two thirds of a year are over", func() { now = now.Add(due) }, "ExpiresSoon", time.Hour},
		{"the clock is set back by a day", func() { now = now.Add(-24 * time.Hour) }, "NotYetValid", time.Hour},
	} {
		before := w.tenantPair(t, tenant)
		step.change()
		result, err := r.Reconcile(context.Background(), requestFor(tenant))
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if replaced := !cmp.Equal(before.CertPEM, w.tenantPair(t, tenant).CertPEM); replaced != (step.want != "") {
			t.Errorf("%s: replaced is %v, want %v", step.name, replaced, step.want != "")
		}
		got := told(recorder)
		if step.want == "" && len(got) > 0 || step.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], "Normal CertificateRenewed etcd-client: "+step.want+": the certificate ")) {
			t.Errorf("%s: Events %q, want %q", step.name, got, step.want)
		}
		// Never later than in an hour, because a timer does not notice a clock that jumps.
		if result.RequeueAfter != step.again {
			t.Errorf("%s: it looks again after %s, want %s", step.name, result.RequeueAfter, step.again)
		}
	}
}
