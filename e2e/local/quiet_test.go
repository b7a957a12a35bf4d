package local

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// writes sums up the API server's own count of requests that write, by resource.
// Leases are left out: they are how leaders say that they are alive.
func writes(ctx context.Context, m *harness.Marina) (map[string]int, error) {
	body, err := kubernetes.NewForConfigOrDie(m.Config).RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for line := range strings.Lines(string(body)) {
		labels, value, ok := strings.Cut(strings.TrimPrefix(line, "apiserver_request_total{"), "} ")
		if !ok || !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		label := map[string]string{}
		for _, pair := range strings.Split(labels, ",") {
			k, v, _ := strings.Cut(pair, "=")
			label[k] = strings.Trim(v, `"`)
		}
		var count float64
		if _, err := fmt.Sscan(value, &count); err != nil {
			return nil, err
		}
		switch label["verb"] {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
			if label["resource"] != "leases" {
				found[label["verb"]+" "+label["resource"]+" "+label["subresource"]] += int(count)
			}
		}
	}
	return found, nil
}

// files are the files of all processes but logs and data, with the time of their
// last change.
func files(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	found := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.Contains(path, "/files/") {
			info, err := d.Info()
			if err != nil {
				return err
			}
			found[path] = info.ModTime()
		}
		return nil
	})
	check(t, err)
	return found
}

// Every object is reconciled, by a change that means nothing, and then left alone
// for a minute: nothing may be written and no process touched.
func TestReconcilingUnchangedObjectsDoesNothing(t *testing.T) {
	for name := range clusters {
		check(t, awaitAvailable(t.Context(), shared, name))
	}
	pidsBefore, filesBefore := shared.Processes(), files(t, shared.Dir)
	if len(pidsBefore) < 20 || len(filesBefore) < 20 {
		t.Fatalf("found %d processes and %d files: the test looks in the wrong place", len(pidsBefore), len(filesBefore))
	}
	before, err := writes(t.Context(), shared)
	check(t, err)

	touched := touchEverything(t)
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}

	after, err := writes(t.Context(), shared)
	check(t, err)
	for what, count := range after {
		if extra := count - before[what] - touched[what]; extra > 0 {
			t.Errorf("%d writes %q in a minute in which nothing had to be done", extra, what)
		}
	}
	if diff := cmp.Diff(pidsBefore, shared.Processes()); diff != "" {
		t.Errorf("processes changed:\n%s", diff)
	}
	if diff := cmp.Diff(filesBefore, files(t, shared.Dir)); diff != "" {
		t.Errorf("files were written:\n%s", diff)
	}
}

// touchEverything wakes every controller for every object, and counts its own
// writes as the API server does.
func touchEverything(t *testing.T) map[string]int {
	t.Helper()
	touched := map[string]int{}
	for resource, list := range map[string]client.ObjectList{
		"clusters":            &v1alpha1.ClusterList{},
		"hostedcontrolplanes": &v1alpha1.HostedControlPlaneList{},
		"etcdtenants":         &v1alpha1.EtcdTenantList{},
		"etcdclusters":        &v1alpha1.EtcdClusterList{},
		"kubernetesreleases":  &v1alpha1.KubernetesReleaseList{},
	} {
		check(t, shared.Client.List(t.Context(), list))
		objects := objectsOf(t, list)
		if len(objects) == 0 {
			t.Fatalf("there are no %s", resource)
		}
		for _, object := range objects {
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"test.marina.dev/touched":"%d"}}}`, os.Getpid())
			check(t, shared.Client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
			touched["PATCH "+resource+" "]++
		}
	}
	return touched
}

// objectsOf are the items of a list.
func objectsOf(t *testing.T, list client.ObjectList) (objects []client.Object) {
	t.Helper()
	check(t, meta.EachListItem(list, func(o runtime.Object) error {
		objects = append(objects, o.(client.Object))
		return nil
	}))
	return objects
}
