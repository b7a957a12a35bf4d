package up

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/controllers"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// mustStart starts a Marina without controllers, and stops it with the test.
func mustStart(t *testing.T, o Options) (*Running, client.Client) {
	t.Helper()
	running, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustStop(t, running) })
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(running.RESTConfig(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return running, c
}

// mustStop stops a Marina; doing so again does nothing.
func mustStop(t *testing.T, running *Running) {
	t.Helper()
	// The test's own context has ended when it is cleaned up.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := running.Stop(ctx); err != nil {
		t.Error(err)
	}
	if left := processes(t, running.options.DataDir); len(left) > 0 {
		t.Errorf("processes left after a stop: %v", left)
	}
}

// await fails the test unless check succeeds in the end. An error is no end: a request may
// meet a server that is just reading a new certificate.
func await(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	var last error
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	}); err != nil {
		t.Fatalf("%s: %v: %v", what, err, last)
	}
}

func TestManagementPlane(t *testing.T) {
	o := testOptions(t)
	running, c := mustStart(t, o)

	t.Run("it serves our kinds", func(t *testing.T) {
		crds := &apiextensionsv1.CustomResourceDefinitionList{}
		if err := c.List(t.Context(), crds); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob("../../../manifests/crds/*.yaml")
		if err != nil || len(files) == 0 || len(crds.Items) != len(files) {
			t.Errorf("%d kinds, want those of %q, %v", len(crds.Items), files, err)
		}
		for i := range crds.Items {
			if err := established(&crds.Items[i]); err != nil {
				t.Errorf("%s: %v", crds.Items[i].Name, err)
			}
		}
	})
	t.Run("it has the defaults", func(t *testing.T) {
		for _, object := range []client.Object{&v1alpha1.EtcdCluster{}, &v1alpha1.HostingClass{}} {
			if err := c.Get(t.Context(), client.ObjectKey{Name: "default"}, object); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a cluster of an offered release can be created", func(t *testing.T) {
		if err := c.Create(t.Context(), newCluster("offered", "1.37.1-1")); err != nil {
			t.Error(err)
		}
		err := c.Create(t.Context(), newCluster("unknown", "1.2.3-1"))
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "1.37.1-1") {
			t.Errorf("one of another release: %v, want a refusal that says what is offered", err)
		}
	})
	t.Run("what is deleted takes with it what it owns", func(t *testing.T) { deletion(t, c) })
	t.Run("Secrets are encrypted at rest", func(t *testing.T) { encryption(t, running, c) })
	t.Run("who has no certificate learns nothing", func(t *testing.T) { anonymous(t, running) })
	t.Run("a renewed certificate needs no restart", func(t *testing.T) { renewal(t, running) })
	t.Run("a second one is refused", func(t *testing.T) {
		_, err := Start(t.Context(), o)
		assertError(t, err, "in use by process "+pidText())
	})
	t.Run("its port cannot be had by another", func(t *testing.T) {
		other := o
		other.DataDir = t.TempDir()
		_, err := Start(t.Context(), other)
		assertError(t, err, "taken by another program")
		if left := processes(t, other.DataDir); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
	})
	t.Run("it comes back as it was", func(t *testing.T) {
		before := &v1alpha1.Cluster{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "offered"}, before); err != nil {
			t.Fatal(err)
		}
		etcd := &v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		if err := c.Patch(t.Context(), etcd, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"maxTenants":7}}`))); err != nil {
			t.Fatal(err)
		}
		mustStop(t, running)
		_, c := mustStart(t, o)
		after := &v1alpha1.Cluster{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(before), after); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the object has changed:\n%s", diff)
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(etcd), etcd); err != nil || ptr.Deref(etcd.Spec.MaxTenants, 0) != 7 {
			t.Errorf("a default that was changed has maxTenants %d, want 7 (%v)", ptr.Deref(etcd.Spec.MaxTenants, 0), err)
		}
		secret := &corev1.Secret{}
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "secret"}, secret); err != nil || string(secret.Data["key"]) != plain {
			t.Errorf("the Secret holds %q (%v)", secret.Data, err)
		}
	})
}

func newCluster(name, version string) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.ClusterSpec{Version: version},
	}
}

// deletion must be that of a management cluster: by the garbage collector, of our
// kinds too, and by the namespace controller.
func deletion(t *testing.T, c client.Client) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doomed"}}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	owner := newCluster("owner", "1.37.1-1")
	if err := c.Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "owned", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "marina.dev/v1alpha1", Kind: "Cluster", Name: owner.Name, UID: owner.UID},
	}}}
	inside := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "doomed", Name: "inside"}}
	for _, object := range []client.Object{owned, inside} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range []client.Object{owner, namespace} {
		if err := c.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range []client.Object{owned, inside, namespace} {
		await(t, "deleting "+object.GetName(), func(ctx context.Context) error {
			err := c.Get(ctx, client.ObjectKeyFromObject(object), object)
			if err == nil {
				return errors.New("it is still there")
			}
			return client.IgnoreNotFound(err)
		})
	}
}

const plain = "the key of a tenant's CA"

func encryption(t *testing.T, running *Running, c client.Client) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "secret"},
		Data:       map[string][]byte{"key": []byte(plain)},
	}
	if err := c.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	stored, err := running.management.etcd.Server.Range(t.Context(), &etcdserverpb.RangeRequest{Key: []byte("/registry/secrets/default/secret")})
	if err != nil {
		t.Fatal(err)
	}
	if len(stored.Kvs) != 1 {
		t.Fatalf("found %d keys in etcd, want 1", len(stored.Kvs))
	}
	if value := stored.Kvs[0].Value; !bytes.HasPrefix(value, []byte("k8s:enc:secretbox:")) || bytes.Contains(value, []byte(plain)) {
		t.Errorf("etcd holds %q", value)
	}
}

// anonymous may ask for health, which a balancer or a probe does, and nothing else.
func anonymous(t *testing.T, running *Running) {
	c, err := rest.HTTPClientFor(rest.AnonymousClientConfig(running.RESTConfig()))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/readyz": http.StatusOK, "/livez": http.StatusOK,
		"/version": http.StatusUnauthorized, "/api": http.StatusUnauthorized, "/apis/marina.dev/v1alpha1/clusters": http.StatusUnauthorized,
	} {
		response, err := c.Get(running.RESTConfig().Host + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, response.StatusCode, want)
		}
	}
}

// renewal is that of a Marina that runs for years: whatever makes a certificate
// due, the API server goes on, with the new one.
func renewal(t *testing.T, running *Running) {
	m := running.management
	served := func(ctx context.Context) (string, error) {
		dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		connection, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(m.inputs.server, "https://"))
		if err != nil {
			return "", err
		}
		defer connection.Close()
		return connection.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
	}
	before, err := served(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pids := processes(t, running.options.DataDir)
	if err := os.Remove(keyStore{dir: m.dir.pki()}.certFile(leafAPIServer)); err != nil {
		t.Fatal(err)
	}
	if err := m.renew(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	await(t, "serving the new certificate", func(ctx context.Context) error {
		now, err := served(ctx)
		if err == nil && now == before {
			err = errors.New("it is still the old one")
		}
		return err
	})
	if diff := cmp.Diff(pids, processes(t, running.options.DataDir)); diff != "" {
		t.Errorf("processes changed:\n%s", diff)
	}
}
