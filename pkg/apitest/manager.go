package apitest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/funcr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// Manager is one that runs controllers in a test, and keeps what it logs.
type Manager struct {
	ctrl.Manager

	mu   sync.Mutex
	logs strings.Builder
}

// NewManager makes a manager with a cache as asked for, which logs up to a verbosity.
// Controllers of the same name can be in another one.
func NewManager(t testing.TB, s *Server, cached cache.Options, verbosity int) *Manager {
	t.Helper()
	m := &Manager{}
	log := funcr.New(func(prefix, args string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		fmt.Fprintln(&m.logs, prefix, args)
	}, funcr.Options{Verbosity: verbosity})
	var err error
	m.Manager, err = ctrl.NewManager(s.Config, ctrl.Options{
		Scheme: s.Scheme, Logger: log, Metrics: server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
		Cache:      cached,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Run runs it until the test ends or stop is called.
func (m *Manager) Run(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Logs are what it has logged so far.
func (m *Manager) Logs() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.logs.String()
}
