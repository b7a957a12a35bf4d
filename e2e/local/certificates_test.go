package local

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// TestCertificatesAreRotatedOnRequest: every leaf certificate is another one, every
// process goes on with it, and no client notices.
func TestCertificatesAreRotatedOnRequest(t *testing.T) {
	for name := range clusters {
		t.Run(name, func(t *testing.T) { rotates(t, name) })
	}
}

func rotates(t *testing.T, name string) {
	check(t, awaitAvailable(t.Context(), shared, name))
	c, err := getCluster(t.Context(), shared, name)
	check(t, err)
	namespace := c.Status.Namespace
	api, config := tenant(t, shared, name)
	running, pids, before := replicas(t, shared, namespace), shared.TenantProcesses(), serials(t, shared, namespace)
	for _, r := range running {
		got, err := r.served(t.Context())
		check(t, err)
		disk, err := r.onDisk()
		check(t, err)
		if want := before[presented[r.component]["tls-cert-file"]]; got != want || disk[presented[r.component]["tls-cert-file"]] != want {
			t.Fatalf("%s serves %s and has %s: the test looks in the wrong place for %s", r.name, got, disk, want)
		}
	}
	prober := harness.StartProber(t, config)

	op := &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "rotate-" + name},
		Spec:       v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Name: name}, Type: v1alpha1.OperationRotateCertificates},
	}
	check(t, shared.Client.Create(t.Context(), op))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		if err := shared.Client.Get(ctx, client.ObjectKeyFromObject(op), op); err != nil {
			return err
		}
		if op.Status.Phase != v1alpha1.OperationSucceeded {
			return fmt.Errorf("the Operation is %s: %s", op.Status.Phase, op.Status.Message)
		}
		return nil
	}))

	after := serials(t, shared, namespace)
	for secret, was := range before {
		isCA := secret == v1alpha1.SecretCA || secret == v1alpha1.SecretFrontProxyCA
		if (after[secret] == was) != isCA {
			t.Errorf("Secret %s: unchanged is %v, want %v", secret, after[secret] == was, isCA)
		}
	}
	if len(before) != 8 {
		t.Errorf("compared %d certificates, want two CAs and six leaves: %v", len(before), before)
	}
	// The files are there when the Operation has succeeded; processes look at them when
	// they change, and each minute.
	check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
		for _, r := range running {
			disk, err := r.onDisk()
			if err != nil {
				return harness.Fatal(err)
			}
			for secret, got := range disk {
				if got != after[secret] {
					return harness.Fatal(fmt.Errorf("%s has the certificate %s of %s on disk, want %s", r.name, got, secret, after[secret]))
				}
			}
			got, err := r.served(ctx)
			if want := after[presented[r.component]["tls-cert-file"]]; err != nil || got != want {
				return fmt.Errorf("%s serves %s, want %s: %w", r.name, got, want, err)
			}
		}
		return nil
	}))

	t.Run("what is presented to others is accepted", func(t *testing.T) { presentsTheNew(t, c, config) })
	t.Run("leaders go on leading", func(t *testing.T) {
		rotated := time.Now()
		for _, lease := range []string{"kube-controller-manager", "kube-scheduler"} {
			check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
				got, err := api.CoordinationV1().Leases("kube-system").Get(ctx, lease, metav1.GetOptions{})
				if err != nil {
					return err
				}
				if got.Spec.RenewTime == nil || got.Spec.RenewTime.Time.Before(rotated) {
					return fmt.Errorf("%s was renewed at %s, and not since %s", lease, got.Spec.RenewTime, rotated)
				}
				return nil
			}))
		}
	})
	t.Run("it is told once, with the reason", func(t *testing.T) { toldOnce(t, namespace, op) })

	// Long enough to meet each API server with its new certificate many times.
	check(t, harness.Await(t.Context(), time.Minute, func(context.Context) error {
		if n := len(prober.Report().Requests); n < 100 {
			return fmt.Errorf("the prober has asked %d times", n)
		}
		return nil
	}))
	report := prober.Stop()
	t.Log(report)
	for _, request := range report.Failed() {
		t.Errorf("during the rotation: %v", request.Err)
	}
	if diff := cmp.Diff(pids, shared.TenantProcesses()); diff != "" {
		t.Errorf("processes changed:\n%s", diff)
	}
	if diff := cmp.Diff(after, serials(t, shared, namespace)); diff != "" {
		t.Errorf("certificates were renewed once more:\n%s", diff)
	}
}

// presentsTheNew uses each client certificate as its holder does. What is presented
// to a kubelet and to an extension API server cannot be seen from outside; that the
// API server takes it too shows that it is of the right CA and for the right user.
func presentsTheNew(t *testing.T, cluster *v1alpha1.Cluster, config *rest.Config) {
	namespace := cluster.Status.Namespace
	holder := func(secretName string) *rest.Config {
		secret := &corev1.Secret{}
		check(t, shared.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: secretName}, secret))
		as := *config
		as.CertData, as.KeyData = secret.Data[pki.CertKey], secret.Data[pki.PrivateKeyKey]
		return &as
	}
	whoami := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)
	for secret, want := range map[string]string{
		v1alpha1.SecretAPIServerKubeletClient:  "kube-apiserver-kubelet-client",
		v1alpha1.SecretControllerManagerClient: "system:kube-controller-manager",
		v1alpha1.SecretSchedulerClient:         "system:kube-scheduler",
		v1alpha1.SecretFrontProxyClient:        "somebody",
	} {
		request := newClient(holder(secret)).AuthenticationV1().RESTClient().Post().AbsPath("/apis/authentication.k8s.io/v1/selfsubjectreviews").
			SetHeader("Content-Type", "application/json").Body(whoami)
		if secret == v1alpha1.SecretFrontProxyClient {
			request = request.SetHeader("X-Remote-User", want)
		}
		answer, err := request.DoRaw(t.Context())
		if err != nil || !bytes.Contains(answer, []byte(`"username":"`+want+`"`)) {
			t.Errorf("the API server takes the holder of %s for %s (%v), want %s", secret, answer, err, want)
		}
	}
	if _, err := harness.EtcdAs(t, shared, namespace, v1alpha1.SecretEtcdClient).Get(t.Context(), "/"+string(cluster.UID)+"/ready"); err != nil {
		t.Errorf("etcd refuses the new certificate: %v", err)
	}
}

// toldOnce compares the Events and the status with what was asked for.
func toldOnce(t *testing.T, namespace string, op *v1alpha1.Operation) {
	want := []string{
		"EtcdTenant etcd-client", "HostedControlPlane front-proxy-client", "HostedControlPlane kube-apiserver-kubelet-client",
		"HostedControlPlane kube-apiserver-serving", "HostedControlPlane kube-controller-manager-client", "HostedControlPlane kube-scheduler-client",
	}
	check(t, harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
		list := &eventsv1.EventList{}
		if err := shared.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return err
		}
		var got []string
		for _, event := range list.Items {
			if event.Reason != "CertificateRenewed" {
				continue
			}
			if !strings.Contains(event.Note, ": RenewalRequested: the certificate was issued at ") || event.Series != nil {
				return harness.Fatal(fmt.Errorf("an Event, told more than once: %v, says %q", event.Series != nil, event.Note))
			}
			got = append(got, event.Regarding.Kind+" "+strings.SplitN(event.Note, ":", 2)[0])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("Events (-want +got):\n%s", diff)
		}
		return nil
	}))
	hcp := &v1alpha1.HostedControlPlane{}
	check(t, shared.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.NameHostedControlPlane}, hcp))
	status := hcp.Status.Certificates
	if status == nil || status.NotBefore == nil || status.NotBefore.Before(op.Status.StartedAt) ||
		status.RenewedAt == nil || status.RenewedAt.Before(op.Status.StartedAt) || strings.Count(status.Renewed, "RenewalRequested") != 5 {
		t.Errorf("status of the certificates: %+v, want all five renewed since %s", status, op.Status.StartedAt)
	}
	condition := ""
	for _, c := range hcp.Status.Conditions {
		if c.Type == v1alpha1.ConditionCertificatesValid {
			condition = string(c.Status) + " " + c.Message
		}
	}
	if !strings.HasPrefix(condition, "True all 6 certificates are valid; the next is renewed by ") {
		t.Errorf("condition CertificatesValid: %q", condition)
	}
}
