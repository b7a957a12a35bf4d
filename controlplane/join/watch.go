package join

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// callTimeout bounds one call, so that an API server that hangs does not hold up the
	// rest for ever.
	callTimeout = 10 * time.Second
	// pageSize bounds the memory for the list that a watch begins with: a tenant can
	// fill it with requests as it likes.
	pageSize = 50
	// watchTimeout is the least time after which the server ends the watch. It takes up
	// to twice as long, so that tenants do not come all at once.
	watchTimeout = 5 * time.Minute
)

// session is what an Approver remembers while it runs.
type session struct {
	*Approver
	// version is where the watch goes on; empty means that everything must be listed.
	version string
	pending pending
	claims  claims
}

func newSession(a *Approver) *session {
	return &session{Approver: a, pending: newPending(), claims: claims{}}
}

// pass lists the requests unless it knows where the last watch ended, and watches until
// the server ends it, which is no error. After an error everything is listed again:
// the version may be of a store that has been restored from a backup since.
func (s *session) pass(ctx context.Context) error {
	if s.version == "" {
		if err := s.list(ctx); err != nil {
			return err
		}
	}
	seconds := int64(watchTimeout/time.Second) + rand.Int64N(int64(watchTimeout/time.Second))
	w, err := s.Client.CertificatesV1().CertificateSigningRequests().Watch(ctx, metav1.ListOptions{
		ResourceVersion: s.version, AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	})
	if err == nil {
		defer w.Stop()
		err = s.watch(ctx, w)
	}
	if err != nil || s.pending.missed {
		s.version = ""
	}
	return err
}

// list notes all requests that there are, page by page, to be looked at one by one when
// the watch runs. None is answered before all are known: those that are settled tell
// which names have just been given away.
func (s *session) list(ctx context.Context) error {
	s.pending.missed = false
	options := metav1.ListOptions{Limit: pageSize}
	for {
		callCtx, cancel := context.WithTimeout(ctx, callTimeout)
		page, err := s.Client.CertificatesV1().CertificateSigningRequests().List(callCtx, options)
		cancel()
		if err != nil {
			return err
		}
		for i := range page.Items {
			csr := &page.Items[i]
			s.claims.note(csr, time.Now())
			if open(csr) {
				s.pending.add(csr.Name, time.Now())
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			s.version = page.ResourceVersion
			return nil
		}
	}
}

// watch handles requests as they come, and those that are pending when their time has
// come.
func (s *session) watch(ctx context.Context, w watch.Interface) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Stop()
		if at, some := s.pending.next(); some {
			timer.Reset(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			// One at a time, so that a crowd of them does not hold up the events.
			s.recheck(ctx)
		case event, more := <-w.ResultChan():
			if !more {
				return nil
			}
			if err := s.event(ctx, event); err != nil {
				return err
			}
		}
	}
}

func (s *session) event(ctx context.Context, event watch.Event) error {
	if event.Type == watch.Error {
		return apierrors.FromObject(event.Object)
	}
	csr, ok := event.Object.(*certificatesv1.CertificateSigningRequest)
	if !ok {
		return errors.New("the watch sent something that is no CertificateSigningRequest")
	}
	s.version = csr.ResourceVersion
	switch event.Type {
	case watch.Added, watch.Modified:
		s.handle(ctx, csr)
	case watch.Deleted:
		s.pending.remove(csr.Name)
		s.claims.drop(csr.Name)
	}
	return nil
}

// recheck looks again at the request whose time has come first.
func (s *session) recheck(ctx context.Context) {
	name, due := s.pending.due(time.Now())
	if !due {
		return
	}
	callCtx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	csr, err := s.Client.CertificatesV1().CertificateSigningRequests().Get(callCtx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		s.pending.remove(name)
	case err != nil:
		s.pending.postpone(name, time.Now())
	default:
		s.handle(ctx, csr)
	}
}
