package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/marina-dev/marina/pkg/apitest"
)

// chartMarina and chartCRDs are the charts.
const (
	chartMarina = root + "/manifests/chart"
	chartCRDs   = root + "/manifests/chart-crds"
)

// helm runs Helm in a home of its own.
func helm(ctx context.Context, home string, args ...string) (stdout string, err error) {
	binary, err := apitest.Binary("tools/helm")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// render is 'helm template' of the chart of Marina.
func render(t testing.TB, args ...string) ([]*unstructured.Unstructured, error) {
	t.Helper()
	return template(t, append([]string{"marina", chartMarina, "--namespace", system}, args...)...)
}

func template(t testing.TB, args ...string) ([]*unstructured.Unstructured, error) {
	t.Helper()
	out, err := helm(t.Context(), t.TempDir(), append([]string{"template", "--kube-version", "1.37.1"}, args...)...)
	if err != nil {
		return nil, err
	}
	return decode([]byte(out))
}

// mustRender is render of values that have to be good.
func mustRender(t testing.TB, args ...string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := render(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// one is the object of a kind and a name.
func one(t testing.TB, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	t.Fatalf("the chart makes no %s %s", kind, name)
	return nil
}

// decode reads all objects of a stream of YAML.
func decode(data []byte) (objects []*unstructured.Unstructured, err error) {
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// readManifests are the objects in a folder of manifests.
func readManifests(t testing.TB, folder string) (objects []*unstructured.Unstructured) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "manifests", folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("manifests/%s has %d files, %v", folder, len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		read, err := decode(data)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		objects = append(objects, read...)
	}
	return objects
}

// install installs both charts, the system namespace being restricted to pods that
// can do no harm.
func (s *server) install(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
		"pod-security.kubernetes.io/warn":    "restricted",
	}}}
	if err := s.client.Create(ctx, namespace); err != nil {
		return err
	}
	for _, chart := range []string{chartMarina, chartCRDs} {
		if _, err := helm(ctx, s.dir, "package", chart, "--app-version", "v1", "--destination", s.dir); err != nil {
			return err
		}
	}
	return s.bring(ctx, "install")
}

// bring installs or upgrades what has been packaged.
func (s *server) bring(ctx context.Context, how string) error {
	for _, args := range [][]string{
		{how, "marina-crds", filepath.Join(s.dir, "marina-crds-0.1.0.tgz"), "--wait"},
		{how, "marina", filepath.Join(s.dir, "marina-0.1.0.tgz")},
	} {
		if _, err := s.helm(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// helm runs Helm on the management cluster.
func (s *server) helm(ctx context.Context, args ...string) (string, error) {
	return helm(ctx, s.dir, append(args, "--kubeconfig", s.kubeconfig(), "--namespace", system)...)
}
