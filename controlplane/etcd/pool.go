package etcd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/marina-dev/marina/pkg/pki"
)

// Connection is what it takes to reach an EtcdCluster as its administrator.
type Connection struct {
	// Endpoints are the members' client URLs.
	Endpoints []string
	// Pair is the administrator's, and CA the certificates that sign the members'.
	Pair pki.KeyPair
	CA   []byte
}

// same reports whether a client for one serves for the other.
func (c Connection) same(other Connection) bool {
	return slices.Equal(c.Endpoints, other.Endpoints) &&
		slices.Equal(c.Pair.CertPEM, other.Pair.CertPEM) &&
		slices.Equal(c.Pair.KeyPEM, other.Pair.KeyPEM) &&
		slices.Equal(c.CA, other.CA)
}

// Pool holds one administrator's client per EtcdCluster. The zero value is ready
// for use; it is safe for concurrent use.
type Pool struct {
	mu     sync.Mutex
	admins map[string]*Admin

	// dialOptions let tests look at each call.
	dialOptions []grpc.DialOption
}

// Admin returns the client for an EtcdCluster. It does not connect by itself, so
// that it succeeds when no member answers. A client for other endpoints or another
// certificate is closed and made anew; what it was doing fails and is done again
// in the next pass.
func (p *Pool) Admin(cluster string, connection Connection) (*Admin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.admins[cluster]
	if known != nil && known.connection.same(connection) {
		return known, nil
	}
	client, err := dial(connection, p.dialOptions...)
	if err != nil {
		return nil, fmt.Errorf("client of etcd cluster %q: %w", cluster, err)
	}
	if known != nil {
		_ = known.client.Close()
	}
	if p.admins == nil {
		p.admins = map[string]*Admin{}
	}
	p.admins[cluster] = &Admin{client: client, connection: connection, pageSize: deletionPage}
	return p.admins[cluster], nil
}

// Remove closes the client of an EtcdCluster that is no more.
func (p *Pool) Remove(cluster string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.admins[cluster]; known != nil {
		_ = known.client.Close()
		delete(p.admins, cluster)
	}
}

// Close closes every client.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, admin := range p.admins {
		_ = admin.client.Close()
	}
	p.admins = nil
}

// tls is what to present and whom to trust.
func (c Connection) tls() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(c.Pair.CertPEM, c.Pair.KeyPEM)
	if err != nil {
		// The error of crypto/tls tells what is wrong with the pair and shows none of it.
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return nil, errors.New("the CA is no certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: roots}, nil
}

// dial makes a client that connects when it is used.
func dial(c Connection, options ...grpc.DialOption) (*clientv3.Client, error) {
	config, err := c.tls()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Endpoints: c.Endpoints,
		TLS:       config,
		// A member whose machine is gone says nothing: without this, calls would go
		// to it until TCP gives up after a quarter of an hour.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		DialOptions:          options,
		// It logs each attempt of each call; the steps tell what became of it.
		Logger: zap.NewNop(),
	})
}
