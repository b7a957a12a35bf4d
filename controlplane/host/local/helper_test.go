package local

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"

	"github.com/marina-dev/marina/controlplane/host/local/balancer"
)

// TestMain makes the test binary the programs that a Host starts: a process with our
// markers in its environment is one of those.
func TestMain(m *testing.M) {
	if os.Getenv(envProcess) == "" {
		os.Exit(m.Run())
	}
	// Not os.Exit: with the race detector that takes a second.
	if err := helper(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

func helper(args []string) error {
	if len(args) > 0 && args[0] == "balancer" {
		return helperBalancer(args[1:])
	}
	var p helperProgram
	flags := flag.NewFlagSet("helper", flag.ContinueOnError)
	flags.StringVar(&p.name, "name", "", "what the history calls it")
	flags.StringVar(&p.listen, "listen", "", "address of /readyz; none waits for a signal only")
	flags.StringVar(&p.history, "history", "", "file that events are appended to")
	flags.StringVar(&p.control, "control", "", "folder; <name>.notready in it answers 500, <name>.stays, a named pipe, holds it back after SIGTERM")
	flags.BoolVar(&p.ignoreTerm, "ignore-term", false, "go on after SIGTERM")
	exit := flags.Int("exit", -1, "exit at once with this status")
	say := flags.String("say", "", "log this first")
	flags.String("any", "", "ignored; makes another spec")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *say != "" {
		fmt.Println(*say)
	}
	// Before the start is noted: who has seen that may send a signal.
	p.terminated = make(chan os.Signal, 1)
	signal.Notify(p.terminated, syscall.SIGTERM)
	if err := p.note("start"); err != nil {
		return err
	}
	if *exit >= 0 {
		syscall.Exit(*exit)
	}
	return p.run()
}

func helperBalancer(args []string) error {
	o := balancer.Options{Log: logr.Discard()}
	flags := pflag.NewFlagSet("balancer", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return balancer.Run(ctx, o)
}

// helperProgram is a replica's main process, or a sidecar.
type helperProgram struct {
	name, listen, history, control string
	ignoreTerm                     bool
	terminated                     chan os.Signal
}

func (p *helperProgram) run() error {
	failed := make(chan error, 1)
	if p.listen != "" {
		go func() { failed <- p.serve() }()
	}
	for {
		select {
		case err := <-failed:
			return err
		case <-p.terminated:
			if err := p.note("term"); err != nil {
				return err
			}
			if p.ignoreTerm {
				continue
			}
			return p.stay()
		}
	}
}

// stay waits at a named pipe, if there is one, for whoever holds the replica back to let it go.
func (p *helperProgram) stay() error {
	gate, err := os.Open(filepath.Join(p.control, p.name+".stays"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return gate.Close()
}

// told reports whether a file of that kind is in the folder for this replica.
func (p *helperProgram) told(what string) bool {
	_, err := os.Stat(filepath.Join(p.control, p.name+"."+what))
	return err == nil
}

// note appends an event to the history. Short appends are whole.
func (p *helperProgram) note(event string) error {
	if p.history == "" {
		return nil
	}
	f, err := os.OpenFile(p.history, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\n", event, p.name)
	return errors.Join(err, f.Close())
}

func (p *helperProgram) serve() error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	noted := false
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if p.told("notready") {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintln(w, "[+]ping ok\n[-]etcd failed: reason withheld")
			return
		}
		if !noted {
			// Before anybody can know.
			p.note("ready")
			noted = true
		}
	})
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("/environ", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
	})
	server := &http.Server{Addr: p.listen, Handler: oneAtATime(mux), TLSConfig: config}
	return server.ListenAndServeTLS("", "")
}

// oneAtATime spares the handlers their locks.
func oneAtATime(next http.Handler) http.Handler {
	turn := make(chan struct{}, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn <- struct{}{}
		defer func() { <-turn }()
		next.ServeHTTP(w, r)
	})
}

func selfSigned() (tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}
