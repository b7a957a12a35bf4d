package chart

import (
	"context"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Metrics are for whom the platform lets read them.
func TestMetrics(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		reader := s.metricsReader(t)
		stranger := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "stranger"}}
		create(t, s, stranger)
		m := startManager(t, s)
		// It may be ready a moment before.
		await(t, "metrics", func(ctx context.Context) error {
			_, _, err := get(ctx, "https://"+m.metrics+"/metrics", "")
			return err
		})
		for name, tc := range map[string]struct {
			token string
			code  int
		}{
			"Anonymous": {code: http.StatusUnauthorized},
			"Stranger":  {token: s.as(t, stranger.Namespace, stranger.Name).BearerToken, code: http.StatusForbidden},
			"Reader":    {token: reader, code: http.StatusOK},
		} {
			t.Run(name, func(t *testing.T) {
				code, body, err := get(t.Context(), "https://"+m.metrics+"/metrics", tc.token)
				if err != nil || code != tc.code {
					t.Fatalf("the answer is %d, %v: want %d", code, err, tc.code)
				}
				if has := strings.Contains(body, "leader_election_master_status"); has != (tc.code == http.StatusOK) {
					t.Errorf("metrics are shown: %v", has)
				}
			})
		}
	})
}

// metricsReader is the token of a service account that may read metrics.
func (s *server) metricsReader(t testing.TB) string {
	t.Helper()
	reader := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "prometheus"}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "marina-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: reader.Namespace, Name: reader.Name}},
	}
	for _, o := range []client.Object{reader, binding} {
		if err := s.client.Create(t.Context(), o); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	return s.as(t, reader.Namespace, reader.Name).BearerToken
}
