package faults

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// The disks of a scene. A member of etcd takes 64 MiB for its log, and as much again
// for the next part of it.
const (
	tenantsDisk    = "640m"
	managementDisk = "224m"
)

// scene is a Marina whose data is on small disks, with a cluster that is written to.
type scene struct {
	*harness.Marina
	t *testing.T
	// tenants and management are the folders that are disks of their own: the data of
	// tenants, and that of the management etcd.
	tenants, management string

	api       kubernetes.Interface
	config    *rest.Config
	namespace string
	// kept are the ConfigMaps that a tenant was told are stored, and keptHere those of
	// the management API.
	kept, keptHere []string
}

// steady is the cluster of a scene.
const steady = "steady"

func begin(t *testing.T) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{t: t, tenants: filepath.Join(dir, "tenants"), management: filepath.Join(dir, "etcd")}
	mountDisk(t, s.tenants, tenantsDisk)
	mountDisk(t, s.management, managementDisk)
	s.Marina = harness.Prepare(t, dir)
	check(t, s.Start(t.Context()))
	c := harness.CreateCluster(t, s.Marina, steady)
	s.namespace = cluster.NamespaceName(c)
	s.awaitWell()
	s.api, s.config = harness.TenantClient(t, s.Marina, steady)
	check(t, s.write(1))
	return s
}

// awaitWell waits until every replica and every member is ready.
func (s *scene) awaitWell() {
	s.t.Helper()
	check(s.t, harness.AwaitAvailable(s.t.Context(), s.Marina, steady))
	s.awaitEtcd(v1alpha1.ConditionAvailable, metav1.ConditionTrue)
}

func (s *scene) awaitEtcd(conditionType string, want metav1.ConditionStatus, words ...string) {
	s.t.Helper()
	// A member that ends again and again is started every 30 s in the end, and two are needed.
	check(s.t, harness.Await(s.t.Context(), 3*time.Minute, func(ctx context.Context) error {
		etcd := &v1alpha1.EtcdCluster{}
		err := s.Client.Get(ctx, client.ObjectKey{Name: "default"}, etcd)
		return errors.Join(err, says(etcd.Status.Conditions, conditionType, want, words...))
	}))
}

// write writes some ConfigMaps of 64 KiB in the tenant, and returns the first error.
func (s *scene) write(count int) error {
	for range count {
		ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
		made, err := s.api.CoreV1().ConfigMaps("default").Create(ctx, big(len(s.kept)), metav1.CreateOptions{})
		cancel()
		if err != nil {
			return err
		}
		s.kept = append(s.kept, made.Name)
	}
	return nil
}

// writeHere is write in the management API.
func (s *scene) writeHere(count int) error {
	for range count {
		ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
		made := big(len(s.keptHere))
		err := s.Client.Create(ctx, made)
		cancel()
		if err != nil {
			return err
		}
		s.keptHere = append(s.keptHere, made.Name)
	}
	return nil
}

// big is a ConfigMap that takes room. Its name is not that of one which was tried
// before: what was not acknowledged may be stored all the same.
func big(number int) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("%d-%d", number, time.Now().UnixNano())},
		Data:       map[string]string{"data": strings.Repeat("x", 64<<10)},
	}
}

// assertKept fails unless all is there that was acknowledged.
func (s *scene) assertKept() {
	s.t.Helper()
	inTenant, err := s.api.CoreV1().ConfigMaps("default").List(s.t.Context(), metav1.ListOptions{})
	check(s.t, err)
	here := &corev1.ConfigMapList{}
	check(s.t, s.Client.List(s.t.Context(), here, client.InNamespace("default")))
	for what, lists := range map[string]struct {
		kept  []string
		there []corev1.ConfigMap
	}{"the tenant": {s.kept, inTenant.Items}, "the management API": {s.keptHere, here.Items}} {
		found := map[string]bool{}
		for i := range lists.there {
			found[lists.there[i].Name] = len(lists.there[i].Data["data"]) == 64<<10
		}
		for _, name := range lists.kept {
			if !found[name] {
				s.t.Errorf("%s has lost ConfigMap %s, which it had acknowledged", what, name)
			}
		}
	}
}

// assertSame fails unless the processes of tenants are the ones from before.
func (s *scene) assertSame(before map[string]int) {
	s.t.Helper()
	if diff := cmp.Diff(before, s.TenantProcesses()); diff != "" {
		s.t.Errorf("processes of tenants have changed:\n%s", diff)
	}
}
