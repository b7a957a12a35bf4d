package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// EtcdAs connects to the shared etcd with the certificate in a Secret.
func EtcdAs(t testing.TB, m *Marina, namespace, secretName string) *clientv3.Client {
	t.Helper()
	return EtcdThrough(t, m.Client, namespace, secretName)
}

// EtcdThrough is EtcdAs for any management cluster, with what it takes to get there.
func EtcdThrough(t testing.TB, management client.Client, namespace, secretName string, dial ...grpc.DialOption) *clientv3.Client {
	t.Helper()
	etcd := &v1alpha1.EtcdCluster{}
	Check(t, management.Get(context.Background(), client.ObjectKey{Name: "default"}, etcd))
	secret := &corev1.Secret{}
	Check(t, management.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: secretName}, secret))
	pair, err := tls.X509KeyPair(secret.Data[pki.CertKey], secret.Data[pki.PrivateKeyKey])
	Check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(secret.Data[pki.CAKey])
	c, err := clientv3.New(clientv3.Config{
		Endpoints:   etcd.Status.Endpoints,
		DialTimeout: 5 * time.Second,
		DialOptions: dial,
		// What is refused is for the test to judge.
		Logger: zap.NewNop(),
		TLS:    &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12},
	})
	Check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// EtcdRoot connects as etcd's administrator.
func EtcdRoot(t testing.TB, m *Marina) *clientv3.Client {
	t.Helper()
	return EtcdAs(t, m, v1alpha1.SystemNamespace, "etcd-default-root")
}

// EtcdLeft is what etcd holds of a tenant: keys, the user and the role.
func EtcdLeft(ctx context.Context, root *clientv3.Client, uid string) (left []string, err error) {
	keys, err := root.Get(ctx, "/"+uid+"/", clientv3.WithPrefix(), clientv3.WithKeysOnly(), clientv3.WithLimit(3))
	if err != nil {
		return nil, err
	}
	for _, kv := range keys.Kvs {
		left = append(left, string(kv.Key))
	}
	users, err := root.UserList(ctx)
	if err != nil {
		return nil, err
	}
	for _, user := range users.Users {
		if user == uid {
			left = append(left, "user "+user)
		}
	}
	roles, err := root.RoleList(ctx)
	if err != nil {
		return nil, err
	}
	for _, role := range roles.Roles {
		if role == uid {
			left = append(left, "role "+role)
		}
	}
	return left, nil
}

// EtcdMember is a process of the shared etcd.
type EtcdMember struct {
	// Process is its name among Processes.
	Process string
	PID     int
	// Endpoint is its client URL.
	Endpoint string
	// Term counts elections; EtcdLeader sets it.
	Term uint64
}

// EtcdMembers are the members of the shared etcd, by ordinal.
func EtcdMembers(t testing.TB, m *Marina) (members []EtcdMember) {
	t.Helper()
	etcd := &v1alpha1.EtcdCluster{}
	Check(t, m.Client.Get(t.Context(), client.ObjectKey{Name: "default"}, etcd))
	running := m.Processes()
	for i, endpoint := range etcd.Status.Endpoints {
		name := fmt.Sprintf("%s/etcd-default/%d/etcd", v1alpha1.SystemNamespace, i)
		if running[name] == 0 {
			t.Fatalf("%s does not run", name)
		}
		members = append(members, EtcdMember{Process: name, PID: running[name], Endpoint: endpoint})
	}
	return members
}

// EtcdLeader returns the leader of the shared etcd and the two others.
func EtcdLeader(t testing.TB, m *Marina) (leader EtcdMember, others []EtcdMember) {
	t.Helper()
	root := EtcdRoot(t, m)
	for _, member := range EtcdMembers(t, m) {
		status, err := root.Status(t.Context(), member.Endpoint)
		Check(t, err)
		member.Term = status.RaftTerm
		if status.Leader == status.Header.MemberId {
			leader = member
		} else {
			others = append(others, member)
		}
	}
	if len(others) != 2 {
		t.Fatalf("etcd has no leader, or more than one: %v follow", others)
	}
	return leader, others
}
