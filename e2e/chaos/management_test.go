package chaos

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
)

// killManagement kills the one process of a component of the management plane, and
// then asks for what needs it.
func (s *scene) killManagement(component string) {
	s.t.Helper()
	s.management = true
	victim := fmt.Sprintf("management/%s/0/%s", component, component)
	if s.before[victim] == 0 {
		s.t.Fatalf("there is no process %s among %v", victim, s.before)
	}
	s.prober.Mark()
	killed := time.Now()
	harness.Kill(s.t, s.before[victim])
	s.awaitReplaced(victim)
	s.awaitNamespaceDeleted("after-" + component)
	s.t.Logf("works again after %.1f s", time.Since(killed).Seconds())
	s.awaitNewName("after-" + component + ".example")
	s.end(none, victim)
}

// awaitNamespaceDeleted makes a namespace in the management API and deletes it, which
// the controller-manager has to finish.
func (s *scene) awaitNamespaceDeleted(name string) {
	s.t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	check(s.t, harness.Await(s.t.Context(), 3*time.Minute, func(ctx context.Context) error {
		if err := shared.Client.Create(ctx, namespace.DeepCopy()); !apierrors.IsAlreadyExists(err) {
			return err
		}
		return nil
	}))
	check(s.t, shared.Client.Delete(s.t.Context(), namespace))
	check(s.t, harness.Await(s.t.Context(), 3*time.Minute, func(ctx context.Context) error {
		err := shared.Client.Get(ctx, client.ObjectKeyFromObject(namespace), &corev1.Namespace{})
		if err == nil {
			err = errors.New("the namespace is still there")
		}
		return client.IgnoreNotFound(err)
	}))
}

// awaitNewName gives the cluster's API another name, and waits until it has it.
func (s *scene) awaitNewName(name string) {
	s.t.Helper()
	endpoint, err := url.Parse(s.config.Host)
	check(s.t, err)
	config, err := rest.TLSConfigFor(s.config)
	check(s.t, err)
	config.ServerName = name
	shake := func(context.Context) error {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", endpoint.Host, config)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if shake(s.t.Context()) == nil {
		s.t.Fatalf("the API is called %s already: that proves nothing", name)
	}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"access":{"certSANs":[%q]}}}`, name))
	check(s.t, shared.Client.Patch(s.t.Context(), harness.NewCluster(steady, ""), patch))
	check(s.t, harness.Await(s.t.Context(), 3*time.Minute, shake))
}
