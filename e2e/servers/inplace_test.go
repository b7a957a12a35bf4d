//go:build openstack

package servers

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// lasting is what stays of a node whose server is made anew in place.
type lasting struct {
	Server, Host           string
	Ports, Fixed, Floating []string
	Node                   string
}

func (s *scene) lasting(t *testing.T, nodes []corev1.Node) map[string]lasting {
	t.Helper()
	all := map[string]lasting{}
	for _, node := range nodes {
		id := serverOf(node)
		fixed, floating := addresses(t, s.cloud.server(t, id))
		all[node.Name] = lasting{Server: id, Host: s.cloud.host(t, id), Ports: s.cloud.ports(t, id), Fixed: fixed, Floating: floating, Node: string(node.UID)}
	}
	return all
}

// inPlace gives a pool of the strategy InPlace another image. Marina has the servers made anew,
// one at a time, with all that others know of them; the systems in them begin from nothing, join
// with tokens of their own, and serve as before.
func (s *scene) inPlace(t *testing.T, pool *v1alpha1.NodePool, at map[string]string) {
	t.Helper()
	nodes := s.settled(t, pool, int32(len(at)), time.Minute)
	image := s.cloud.imageID(t, environment(t, "MARINA_OPENSTACK_NEXT"))
	kept, joined := s.lasting(t, nodes), s.joined(t)
	check(t, s.Client.Get(t.Context(), client.ObjectKeyFromObject(pool), pool))
	before := pool.DeepCopy()
	pool.Spec.Image = image
	check(t, s.Client.Patch(t.Context(), pool, client.MergeFrom(before)))
	began := time.Now()
	check(t, harness.AwaitEvery(t.Context(), time.Second, 5*time.Minute, func(ctx context.Context) error { return s.boots(ctx, t, pool, nodes, image) }))
	now := s.settled(t, pool, int32(len(nodes)), time.Minute)
	t.Logf("%d nodes have been made anew in place after %.0f s", len(nodes), time.Since(began).Seconds())

	if diff := cmp.Diff(kept, s.lasting(t, now)); diff != "" {
		t.Errorf("after an upgrade in place (-before +now):\n%s", diff)
	}
	for i, node := range now {
		if was := nodes[i]; node.Name != was.Name || node.Status.NodeInfo.BootID == was.Status.NodeInfo.BootID || node.Spec.Unschedulable {
			t.Errorf("the node %s of the boot %s is %s of the boot %s, unschedulable: %t", was.Name, was.Status.NodeInfo.BootID, node.Name, node.Status.NodeInfo.BootID, node.Spec.Unschedulable)
		}
		answers(t, at[node.Name], time.Minute)
	}
	s.anew(t, nodes, joined)
}

// boots is whether all servers of a pool have booted an image. No two of them are made anew at
// a time, and there is none besides.
func (s *scene) boots(ctx context.Context, t *testing.T, pool *v1alpha1.NodePool, nodes []corev1.Node, image string) error {
	t.Helper()
	var machines v1alpha1.MachineList
	if err := s.Client.List(ctx, &machines); err != nil {
		return err
	}
	var mine, busy []string
	for _, m := range machines.Items {
		if m.Spec.PoolRef.Name != pool.Name {
			continue
		}
		mine = append(mine, m.Name)
		if m.Rebuilding() {
			busy = append(busy, m.Name)
		}
	}
	if len(mine) != len(nodes) || len(busy) > 1 {
		t.Errorf("of the machines %v are made anew %v, want no others, and one at a time", mine, busy)
	}
	if len(busy) > 0 {
		return fmt.Errorf("%v is being made anew", busy)
	}
	for _, node := range nodes {
		server, err := s.cloud.find(ctx, serverOf(node))
		if err != nil {
			return err
		}
		if server.Image["id"] != image || server.Status != "ACTIVE" {
			return fmt.Errorf("the server %s is %s with the image %v", server.ID, server.Status, server.Image["id"])
		}
	}
	return nil
}

// joined are the requests by which bootstrap tokens have got certificates, by node.
func (s *scene) joined(t *testing.T) map[string][]certificatesv1.CertificateSigningRequest {
	t.Helper()
	list, err := s.tenant.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
	check(t, err)
	all := map[string][]certificatesv1.CertificateSigningRequest{}
	for _, csr := range list.Items {
		if csr.Spec.SignerName == certificatesv1.KubeAPIServerClientKubeletSignerName && strings.HasPrefix(csr.Spec.Username, bootstrapapi.BootstrapUserPrefix) && len(csr.Status.Certificate) > 0 {
			name := strings.TrimPrefix(request(t, csr).Subject.CommonName, "system:node:")
			all[name] = append(all[name], csr)
		}
	}
	return all
}

// request is what a request for a certificate asks for.
func request(t *testing.T, csr certificatesv1.CertificateSigningRequest) *x509.CertificateRequest {
	t.Helper()
	block, _ := pem.Decode(csr.Spec.Request)
	if block == nil {
		t.Fatalf("the request %s is not PEM", csr.Name)
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	check(t, err)
	return parsed
}

func keyOf(t *testing.T, csr certificatesv1.CertificateSigningRequest) string {
	t.Helper()
	return string(request(t, csr).RawSubjectPublicKeyInfo)
}

// anew checks that each node has joined once more: a kubelet that found the certificate of the
// one before would not have asked for another. It has another key, by a token of its own, which
// is good for nothing any more.
func (s *scene) anew(t *testing.T, nodes []corev1.Node, before map[string][]certificatesv1.CertificateSigningRequest) {
	t.Helper()
	now := s.joined(t)
	for _, node := range nodes {
		name := node.Name
		fresh := slices.DeleteFunc(now[name], func(csr certificatesv1.CertificateSigningRequest) bool {
			return slices.ContainsFunc(before[name], func(old certificatesv1.CertificateSigningRequest) bool {
				return old.UID == csr.UID || old.Spec.Username == csr.Spec.Username || keyOf(t, old) == keyOf(t, csr)
			})
		})
		if len(before[name]) != 1 || len(fresh) != 1 {
			t.Errorf("%s has joined %d times before, and %d times with another token and key since, want once each", name, len(before[name]), len(fresh))
			continue
		}
		id := strings.TrimPrefix(fresh[0].Spec.Username, bootstrapapi.BootstrapUserPrefix)
		check(t, harness.AwaitEvery(t.Context(), time.Second, time.Minute, func(ctx context.Context) error {
			_, err := s.tenant.CoreV1().Secrets(metav1.NamespaceSystem).Get(ctx, bootstrapapi.BootstrapTokenSecretPrefix+id, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return errors.Join(fmt.Errorf("the token with which %s has joined again is still good", name), err)
		}))
	}
}
