package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// again is when a snapshot is tried again that has failed.
const again = 10 * time.Second

// Options are what the process is told.
type Options struct {
	// Endpoints are the members' client URLs.
	Endpoints []string
	// CertFile and KeyFile are those of the administrator, CAFile is of who signs the
	// members' certificates.
	CertFile, KeyFile, CAFile string
	Dir, Name                 string
	Keep                      int
	// Listen is where Path is served.
	Listen string
	Log    logr.Logger
}

// Path answers 200 with an Info once the snapshot is there and good, and else 503 with
// the reason in words.
const Path = "/readyz"

// AddFlags adds a flag for each option.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.Endpoints, "endpoints", nil, "The members' client URLs.")
	flags.StringVar(&o.CertFile, "cert", "", "`File` with the administrator's certificate.")
	flags.StringVar(&o.KeyFile, "key", "", "`File` with the key of it.")
	flags.StringVar(&o.CAFile, "cacert", "", "`File` with the CA of the members' certificates.")
	flags.StringVar(&o.Dir, "dir", "", "`Folder` for snapshots.")
	flags.StringVar(&o.Name, "name", "", "Name of the snapshot in the folder, without .db.")
	flags.IntVar(&o.Keep, "keep", 1, "How many snapshots are kept, this one included.")
	flags.StringVar(&o.Listen, "listen", "", "`Address` at which "+Path+" tells what has become of it, over HTTP.")
}

// Run takes a snapshot, again and again until it is good, and tells of it until ctx
// ends.
func Run(ctx context.Context, o Options) error {
	tls, err := transport.TLSInfo{CertFile: o.CertFile, KeyFile: o.KeyFile, TrustedCAFile: o.CAFile}.ClientConfig()
	if err != nil {
		return fmt.Errorf("the administrator's certificate: %w", err)
	}
	members := clientv3.Config{
		Endpoints: o.Endpoints, TLS: tls, Logger: zap.NewNop(),
		// A member whose machine is gone says nothing.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
	}
	s := &state{taking: &Taking{Dir: o.Dir, Name: o.Name, Keep: o.Keep}}
	server := &http.Server{Addr: o.Listen, Handler: s, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	defer server.Close()
	go s.take(ctx, members, o.Log)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// state is what has become of a snapshot.
type state struct {
	taking *Taking

	mu   sync.Mutex
	info *Info
	err  error
}

func (s *state) take(ctx context.Context, members clientv3.Config, log logr.Logger) {
	for ctx.Err() == nil {
		info, err := s.taking.Take(ctx, members)
		s.mu.Lock()
		if s.err = err; err == nil {
			s.info = &info
		}
		s.mu.Unlock()
		if err == nil {
			log.Info("The snapshot is good", "path", s.taking.Path(), "bytes", info.Size, "revision", info.Revision, "sha256", info.SHA256)
			return
		}
		log.Error(err, "No snapshot was taken", "path", s.taking.Path())
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// ServeHTTP implements http.Handler.
func (s *state) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	info, err := s.info, s.err
	s.mu.Unlock()
	switch {
	case info != nil:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(info)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, fmt.Sprintf("%d MiB are written", s.taking.Written.Load()>>20), http.StatusServiceUnavailable)
	}
}
