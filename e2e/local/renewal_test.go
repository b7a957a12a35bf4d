package local

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// A certificate that is spoilt is replaced at once, without anybody asking, and the
// history of the cluster tells which and why. No process is restarted.
func TestASpoiltCertificateIsRenewedAndRecorded(t *testing.T) {
	const name = "new"
	check(t, awaitAvailable(t.Context(), shared, name))
	c, err := getCluster(t.Context(), shared, name)
	check(t, err)
	before, pids := serials(t, shared, c.Status.Namespace), shared.TenantProcesses()

	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = c.Status.Namespace, v1alpha1.SecretSchedulerClient
	spoilt := client.RawPatch(types.MergePatchType, []byte(`{"data":{"`+pki.CertKey+`":"c3BvaWx0"}}`))
	check(t, shared.Client.Patch(t.Context(), secret, spoilt))

	check(t, harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
		found, err := operations(ctx, shared, name)
		if err != nil {
			return err
		}
		for _, op := range ofType(found, v1alpha1.OperationRenewCertificates, v1alpha1.OperationSucceeded) {
			if message := found[op].Status.Message; strings.Contains(message, secret.Name+": NotDecodable") {
				return nil
			}
		}
		return fmt.Errorf("no operation tells of it: %v", found)
	}))
	after := serials(t, shared, c.Status.Namespace)
	if after[secret.Name] == before[secret.Name] {
		t.Error("the certificate is the one of before")
	}
	delete(before, secret.Name)
	delete(after, secret.Name)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("others were replaced as well:\n%s", diff)
	}
	if diff := cmp.Diff(pids, shared.TenantProcesses()); diff != "" {
		t.Errorf("processes changed:\n%s", diff)
	}
}
