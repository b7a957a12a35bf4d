package openstack

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Cloud is where to log in.
type Cloud struct {
	// AuthURL is the address of Keystone, with or without /v3.
	AuthURL string
	// Region is its name in the catalogue.
	Region string
	// CABundle is whom to trust besides those that the machine does, in PEM; it may be empty.
	CABundle string
}

// unused is how long a client is kept that nobody asks for: longer than anybody waits to
// look again.
const unused = time.Hour

// Pool keeps one logged-in client for each pair of a cloud and credentials, so that a token
// is asked for when there is none, and not each time. The zero value is ready to use.
type Pool struct {
	// Agent is sent as User-Agent, before the library's own; marina if it is empty.
	Agent string
	// Timeout is how long an answer may take; 30 s if it is zero.
	Timeout time.Duration
	// Wait waits before something is asked again; nil waits for real.
	Wait func(context.Context, time.Duration) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Wrap gives what all requests go through; nil is none.
	Wrap func(http.RoundTripper) http.RoundTripper

	mu      sync.Mutex
	clients map[key]*slot
}

// key is a hash of all that tells one client from another. It is a cryptographic one: who
// finds a collision would work with the credentials of somebody else.
type key [sha256.Size]byte

// slot has the client once somebody has logged in; who comes meanwhile waits.
type slot struct {
	login  sync.Mutex
	client *Client
	used   time.Time
}

// Client returns the client for credentials in a cloud, and logs in if there is none yet.
// Its errors are of the type *Error.
func (p *Pool) Client(ctx context.Context, cloud Cloud, credentials Credentials) (*Client, error) {
	s := p.slot(hash(cloud, credentials))
	s.login.Lock()
	defer s.login.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	client, err := p.logIn(ctx, cloud, credentials)
	if err != nil {
		return nil, err
	}
	s.client = client
	return client, nil
}

func (p *Pool) slot(k key) *slot {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.Now != nil {
		now = p.Now()
	}
	for other, s := range p.clients {
		if now.Sub(s.used) > unused && s.login.TryLock() {
			if s.client != nil {
				s.client.close()
			}
			s.login.Unlock()
			delete(p.clients, other)
		}
	}
	if p.clients == nil {
		p.clients = map[key]*slot{}
	}
	s := p.clients[k]
	if s == nil {
		s = &slot{}
		p.clients[k] = s
	}
	s.used = now
	return s
}

// hash tells clouds with credentials apart.
func hash(cloud Cloud, c Credentials) key {
	data, err := json.Marshal([]any{
		cloud, c.side, c.auth.Username, c.auth.UserID, c.auth.DomainName, c.auth.DomainID, c.auth.Password, c.auth.Scope,
		c.auth.ApplicationCredentialID, c.auth.ApplicationCredentialName, c.auth.ApplicationCredentialSecret,
	})
	if err != nil {
		panic(err) // nothing but strings
	}
	return sha256.Sum256(data)
}
