package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// user is the field owner of what these tests write as a user would.
const user = client.FieldOwner("user")

// object is one of a Marina kind. Its spec is YAML as a user writes it, so that
// what is left out, null or empty reaches the API server in that way.
func object(kind, name, spec string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	o.SetName(name)
	switch kind {
	case "Cluster", "Operation", "EtcdTenant", "HostedControlPlane", "NodeBootstrap", "ClusterNetwork", "NodePool", "Machine":
		o.SetNamespace(project)
	}
	setSpec(o, spec)
	return o
}

// setSpec replaces the whole spec; an empty one leaves it out.
func setSpec(o *unstructured.Unstructured, spec string) {
	delete(o.Object, "spec")
	if spec == "" {
		return
	}
	content := map[string]any{}
	if err := sigsyaml.Unmarshal([]byte(spec), &content); err != nil {
		panic(fmt.Sprintf("the test's own YAML: %v in %s", err, spec))
	}
	o.Object["spec"] = content
}

func releaseNamed(name string) *unstructured.Unstructured {
	return object("KubernetesRelease", name, `{supportedUntil: "2027-10-28", kubeletConfiguration: {kind: KubeletConfiguration}}`)
}

var names atomic.Int64

// newName is a name that no other object of these tests has.
func newName() string { return fmt.Sprintf("n%d", names.Add(1)) }

// says are words that a refusal must hold. A verdict of nil is acceptance.
func says(words ...string) []string { return words }

// judge fails the test unless err is the verdict that is wanted.
func judge(t testing.TB, err error, want []string) {
	t.Helper()
	switch {
	case want == nil && err != nil:
		t.Errorf("refused, want it accepted: %v", err)
	case want != nil && err == nil:
		t.Errorf("accepted, want a refusal that says %q", want)
	case want != nil && !apierrors.IsInvalid(err):
		t.Errorf("failed, want a refusal as invalid: %v", err)
	}
	for _, words := range want {
		if err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("the refusal does not say %q: %v", words, err)
		}
	}
	if err == nil {
		return
	}
	// What a rule says when it fails to run instead of refusing.
	for _, broken := range []string{"no such key", "no such overload", "evaluation error", "failed rule", "failed expression"} {
		if strings.Contains(err.Error(), broken) {
			t.Errorf("a rule is broken: %v", err)
		}
	}
}

// made creates an object that has to be accepted.
func made(t testing.TB, s *server, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	if err := s.client.Create(t.Context(), o, user); err != nil {
		t.Fatalf("creating %s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return o
}

// live reads an object anew.
func live(t testing.TB, s *server, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(o.GroupVersionKind())
	if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(o), found); err != nil {
		t.Fatal(err)
	}
	return found
}

// write is a way to change the spec of an object. was is the live object.
type write func(ctx context.Context, s *server, was *unstructured.Unstructured, spec string) error

// writes are all ways. What makes the object has to be an apply for the last one
// to remove what it leaves out.
var writes = map[string]write{
	"Update": func(ctx context.Context, s *server, was *unstructured.Unstructured, spec string) error {
		o := was.DeepCopy()
		setSpec(o, spec)
		return s.client.Update(ctx, o, user)
	},
	"MergePatch": func(ctx context.Context, s *server, was *unstructured.Unstructured, spec string) error {
		o := was.DeepCopy()
		setSpec(o, spec)
		return s.client.Patch(ctx, o, client.MergeFrom(was), user)
	},
	"Apply": func(ctx context.Context, s *server, was *unstructured.Unstructured, spec string) error {
		return apply(ctx, s, object(was.GetKind(), was.GetName(), spec))
	},
}

func apply(ctx context.Context, s *server, o *unstructured.Unstructured) error {
	return s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), user, client.ForceOwnership)
}

// applied makes an object by server-side apply.
func applied(t testing.TB, s *server, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	if err := apply(t.Context(), s, o.DeepCopy()); err != nil {
		t.Fatalf("applying %s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return live(t, s, o)
}

// eventually awaits what follows a write only after a moment: a policy sees its
// parameters through an informer.
func eventually(ctx context.Context, holds func() error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		last = holds()
		return last == nil, nil
	})
	return errors.Join(err, last)
}

// readManifests are the objects in a folder of manifests.
func readManifests(folder string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(root, "manifests", folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
			o := &unstructured.Unstructured{}
			if err := decoder.Decode(&o.Object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if len(o.Object) > 0 {
				objects = append(objects, o)
			}
		}
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("nothing in manifests/%s", folder)
	}
	return objects, nil
}
