package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"sync"
)

// explainSilence finds out of members that were asked and did not answer whether they
// turn us away: that is something else than not to run.
func (a *Admin) explainSilence(ctx context.Context, members []Member, asked func(ordinal int) bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var group sync.WaitGroup
	for i := range members {
		if asked(i) && !members[i].answers() {
			group.Go(func() { members[i].Refusal = a.refusal(ctx, members[i].Endpoint) })
		}
	}
	group.Wait()
}

// refusal is what is said against a certificate, the member's or ours, when one connects
// to it; nil if that is not why it does not answer.
func (a *Admin) refusal(ctx context.Context, endpoint string) error {
	at, err := url.Parse(endpoint)
	if err != nil {
		return nil
	}
	config, err := a.connection.tls()
	if err != nil {
		return nil
	}
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", at.Host)
	if err == nil {
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			_ = conn.SetReadDeadline(deadline)
		}
		// With TLS 1.3 a server looks at the client's certificate when the client has done
		// with it: only its first words tell.
		_, err = conn.Read(make([]byte, 1))
	}
	if alert := new(net.OpError); errors.As(err, &alert) && alert.Op == "remote error" {
		return alert
	}
	if verification := new(tls.CertificateVerificationError); errors.As(err, &verification) {
		return verification
	}
	return nil
}
