package openstack

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
)

const (
	defaultTimeout = 30 * time.Second
	// attempts is how often something is asked in all, while a cloud asks for patience.
	attempts = 3
	// patience is how long a call waits at most before it asks again. Who is to wait longer
	// is told so, and holds up nobody meanwhile.
	patience = 5 * time.Second
)

// logIn makes a client and gets its first token.
func (p *Pool) logIn(ctx context.Context, cloud Cloud, credentials Credentials) (*Client, error) {
	provider, err := openstack.NewClient(cloud.AuthURL)
	if err != nil {
		return nil, &Error{Kind: BadRequest, Service: Identity, Message: "its address cannot be read", Err: err}
	}
	transport, err := p.transport(cloud.CABundle)
	if err != nil {
		return nil, err
	}
	through := http.RoundTripper(transport)
	if p.Wrap != nil {
		through = p.Wrap(transport)
	}
	provider.HTTPClient = http.Client{Transport: through, Timeout: cmp.Or(p.Timeout, defaultTimeout), CheckRedirect: sameHost}
	provider.UserAgent.Prepend(cmp.Or(p.Agent, "marina"))
	provider.MaxBackoffRetries = attempts
	provider.RetryBackoffFunc = p.throttled
	provider.RetryFunc = p.failed
	auth := credentials.auth
	if err := openstack.AuthenticateV3(ctx, provider, &auth, gophercloud.EndpointOpts{}); err != nil {
		transport.CloseIdleConnections()
		return nil, Classify(Identity, err)
	}
	return newClient(provider, cloud.Region, credentials.side), nil
}

func (p *Pool) transport(caBundle string) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caBundle != "" {
		trusted, err := x509.SystemCertPool()
		if err != nil {
			trusted = x509.NewCertPool()
		}
		if !trusted.AppendCertsFromPEM([]byte(caBundle)) {
			return nil, &Error{Kind: BadRequest, Service: Identity, Message: "the caBundle holds no certificate that can be read"}
		}
		config.RootCAs = trusted
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: cmp.Or(p.Timeout, defaultTimeout),
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,
	}, nil
}

// sameHost does not follow a redirection to somebody else, who would be given the token.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// throttled is asked about each 429: nothing has been done then, so that any call may be
// made again.
func (p *Pool) throttled(ctx context.Context, refused *gophercloud.ErrUnexpectedResponseCode, _ error, count uint) error {
	return p.again(ctx, *refused, *refused, count)
}

// failed is asked about each other failure. Only what reads is asked again: what was to
// change something may have been done, and whoever asked for it has to look first.
func (p *Pool) failed(ctx context.Context, method, _ string, _ *gophercloud.RequestOpts, err error, count uint) error {
	var refused gophercloud.ErrUnexpectedResponseCode
	if method != http.MethodGet || !errors.As(err, &refused) {
		return err
	}
	switch refused.Actual {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return p.again(ctx, refused, err, count)
	}
	return err
}

// again waits as long as the service asks for, or a little longer each time. It returns
// err when it is to be given up.
func (p *Pool) again(ctx context.Context, refused gophercloud.ErrUnexpectedResponseCode, err error, count uint) error {
	wait := answered("", refused).After
	if wait == 0 {
		wait = time.Second << (count - 1)
	}
	if count >= attempts || wait > patience {
		return err
	}
	waiting := p.Wait
	if waiting == nil {
		waiting = sleep
	}
	if waiting(ctx, wait) != nil {
		return err
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
