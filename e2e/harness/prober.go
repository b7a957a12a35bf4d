package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/rest"
)

const (
	// probeInterval and probeTimeout are the promise of docs/reference/resilience.md.
	probeInterval = 100 * time.Millisecond
	probeTimeout  = 10 * time.Second
	// labelProber is on what a prober writes; its value is the prober's own.
	labelProber = "test.marina.dev/prober"
)

// Prober asks a tenant's API ten times a second from outside, in turn by a quorum
// read and a write, each over a connection and with a TLS handshake of its own.
// Nothing is tried again. A request that takes long does not hold up the next one;
// since each ends after ten seconds, there are never more than a hundred under way.
type Prober struct {
	client *http.Client
	host   string
	name   string

	interval time.Duration
	// ask sends the i-th request, and tells what that was to create.
	ask func(i int) (wrote string, err error)

	stop    chan struct{}
	stopped chan struct{}

	mu       sync.Mutex
	requests []Request
	marked   time.Time
}

// StartProber begins to ask; the test's end stops it.
func StartProber(t testing.TB, config *rest.Config) *Prober {
	t.Helper()
	tlsConfig, err := rest.TLSConfigFor(config)
	Check(t, err)
	p := &Prober{
		// Not a client of Kubernetes: that would try again what a broken connection has
		// cut short.
		client: &http.Client{
			Transport: &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true},
			Timeout:   probeTimeout,
		},
		host: config.Host,
		name: rand.String(8),
	}
	p.start(t, probeInterval, p.readOrWrite)
	return p
}

// StartAsking begins to ask something else, at an interval, each time for ten seconds at
// most; the test's end stops it.
func StartAsking(t testing.TB, interval time.Duration, ask func(context.Context) error) *Prober {
	t.Helper()
	p := &Prober{}
	p.start(t, interval, func(int) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		return "", ask(ctx)
	})
	return p
}

func (p *Prober) start(t testing.TB, interval time.Duration, ask func(i int) (wrote string, err error)) {
	p.interval, p.ask = interval, ask
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.run(time.Now())
	t.Cleanup(func() { p.Stop() })
}

// run starts each request when it is due, and returns when all have ended.
func (p *Prober) run(begin time.Time) {
	defer close(p.stopped)
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for i := 0; ; i++ {
		timer := time.NewTimer(time.Until(begin.Add(time.Duration(i) * p.interval)))
		select {
		case <-p.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		underWay.Go(func() { p.request(i) })
	}
}

// request is one request, from start to end.
func (p *Prober) request(i int) {
	r := Request{Start: time.Now()}
	r.Wrote, r.Err = p.ask(i)
	r.End = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r)
}

func (p *Prober) readOrWrite(i int) (wrote string, err error) {
	if i%2 == 0 {
		return "", p.read()
	}
	wrote = fmt.Sprintf("prober-%s-%d", p.name, i)
	return wrote, p.write(wrote)
}

// read asks for an object without a resource version, which is answered by a quorum
// of etcd and from no cache.
func (p *Prober) read() error {
	return p.do(http.MethodGet, "/api/v1/namespaces/default", nil, http.StatusOK)
}

// write creates an object of its own, so that afterwards each can be looked for.
func (p *Prober) write(name string) error {
	body, err := json.Marshal(&corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelProber: p.name}},
	})
	if err != nil {
		return err
	}
	return p.do(http.MethodPost, "/api/v1/namespaces/default/configmaps", body, http.StatusCreated)
}

func (p *Prober) do(method, path string, body []byte, want int) error {
	request, err := http.NewRequest(method, p.host+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %.200s", method, path, response.Status, strings.TrimSpace(string(answer)))
	}
	return nil
}

// Mark notes that something is about to be done to the cluster; the report counts
// from there.
func (p *Prober) Mark() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marked = time.Now()
}

// Report is what has been found by now.
func (p *Prober) Report() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Report{Requests: append([]Request(nil), p.requests...), Marked: p.marked, prober: p.name}
}

// Stop asks no more, waits for what is under way and returns what was found.
func (p *Prober) Stop() Report {
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.mu.Unlock()
	<-p.stopped
	return p.Report()
}
