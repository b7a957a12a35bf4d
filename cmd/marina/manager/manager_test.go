package manager

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

func TestWithoutAManagementCluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	// A person's own kubeconfig is none of a manager's business.
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "config"))
	invalid := filepath.Join(t.TempDir(), "invalid")
	if err := os.WriteFile(invalid, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"NotInACluster": "", "NoSuchFile": "/does/not/exist", "NotAKubeconfig": invalid} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), Options{Kubeconfig: file, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
			var failed *failure.Error
			if !errors.As(err, &failed) || !strings.Contains(failed.Do, "--kubeconfig") {
				t.Errorf("%v, want what to do", err)
			}
		})
	}
}

func TestMissingKindsAreExplained(t *testing.T) {
	err := explain(&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "marina.dev", Kind: "Cluster"}, SearchedVersions: []string{"v1alpha1"}})
	var failed *failure.Error
	if !errors.As(err, &failed) || !strings.Contains(failed.Do, "CRDs") {
		t.Errorf("%v, want what to do", err)
	}
	if explain(nil) != nil {
		t.Error("an end without an error is none")
	}
}

// Two managers at once would approve and repair against each other, whoever starts them.
func TestOneWorks(t *testing.T) {
	o := managerOptions(ctrl.Options{}, Options{MetricsAddress: ":1", HealthAddress: ":2"})
	if !o.LeaderElection || o.LeaderElectionID != "marina-manager" || o.LeaderElectionNamespace != "marina-system" || !o.LeaderElectionReleaseOnCancel {
		t.Errorf("leader election %v by %s/%s, released %v", o.LeaderElection, o.LeaderElectionNamespace, o.LeaderElectionID, o.LeaderElectionReleaseOnCancel)
	}
	if !o.Metrics.SecureServing || o.Metrics.FilterProvider == nil || o.Metrics.BindAddress != ":1" || o.HealthProbeBindAddress != ":2" {
		t.Errorf("metrics at %s, secure %v, for everybody %v; health at %s", o.Metrics.BindAddress, o.Metrics.SecureServing, o.Metrics.FilterProvider == nil, o.HealthProbeBindAddress)
	}
}

// caches are filled or not.
type caches struct {
	cache.Cache
	filled bool
}

func (c caches) WaitForCacheSync(context.Context) bool { return c.filled }

func TestReadiness(t *testing.T) {
	for _, filled := range []bool{false, true} {
		err := synced(caches{filled: filled})(httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if (err == nil) != filled {
			t.Errorf("with caches that are filled: %v, it says %v", filled, err)
		}
	}
}
