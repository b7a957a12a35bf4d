package up

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

// etcdQuota is the size at which the management etcd refuses writes. A tenant takes
// about 100 KiB.
const etcdQuota = 4 << 30

// etcdConfig is the management etcd: one member in this process, which listens on
// loopback and lets in only who has a certificate of its CA.
func etcdConfig(d dataDir, port int) *embed.Config {
	keys := keyStore{dir: d.pki()}
	client := url.URL{Scheme: "https", Host: net.JoinHostPort(address, strconv.Itoa(port))}

	cfg := embed.NewConfig()
	cfg.Name = "management"
	cfg.Dir = d.etcd()
	cfg.ListenClientUrls = []url.URL{client}
	cfg.AdvertiseClientUrls = []url.URL{client}
	// It has no peers and never will: it does not listen for any. The advertised
	// address is a mere name then.
	cfg.ListenPeerUrls = nil
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.ClientTLSInfo.CertFile = keys.certFile(leafEtcdServer)
	cfg.ClientTLSInfo.KeyFile = keys.keyFile(leafEtcdServer)
	cfg.ClientTLSInfo.TrustedCAFile = keys.certFile("etcd-ca")
	cfg.ClientTLSInfo.ClientCertAuth = true
	// The gateway would dial our own server, with a certificate that is no client's.
	cfg.EnableGRPCGateway = false

	// As in a tenant's etcd, compaction is etcd's: history of five to ten minutes.
	cfg.AutoCompactionMode = embed.CompactorModePeriodic
	cfg.AutoCompactionRetention = "5m"
	cfg.QuotaBackendBytes = etcdQuota
	return cfg
}

// managementEtcd is the management etcd while it runs.
type managementEtcd struct {
	*embed.Etcd
	*breakage
}

// breakage is why etcd cannot go on, where it would have ended this process.
type breakage struct {
	// broken gets the reason, and over is true from then on.
	broken chan error
	over   atomic.Bool
}

// etcdLogger writes to a file of limited size: what etcd says is for developers.
// Where etcd would end the process after a line, b gets the reason, so that Marina can
// tell it.
func etcdLogger(path string, b *breakage) *zap.Logger {
	encoder := zap.NewProductionEncoderConfig()
	encoder.EncodeTime = zapcore.ISO8601TimeEncoder
	file := &lumberjack.Logger{Filename: path, MaxSize: 20, MaxBackups: 2}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoder), zapcore.AddSync(file), zap.InfoLevel)
	return zap.New(core, zap.WithFatalHook(b), zap.WithPanicHook(b))
}

// OnWrite implements zapcore.CheckWriteHook, in the place of os.Exit and panic. It
// never returns, since nothing may follow the line: what etcd has in memory is not
// what is on disk.
func (b *breakage) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	reason := errors.New(entry.Message)
	for _, field := range fields {
		if err, ok := field.Interface.(error); ok && field.Type == zapcore.ErrorType {
			reason = fmt.Errorf("%s: %w", entry.Message, err)
		}
	}
	b.over.Store(true)
	select {
	case b.broken <- reason:
	default:
		// An earlier one is the cause.
	}
	select {}
}

// etcdReady is how long etcd may take to become ready once it has read its data: it
// has nobody to agree with.
const etcdReady = time.Minute

// startEtcd starts the management etcd and waits until it serves.
func startEtcd(ctx context.Context, d dataDir, port int) (*managementEtcd, error) {
	if err := os.MkdirAll(filepath.Dir(d.etcdLog()), 0o700); err != nil {
		return nil, err
	}
	if err := beginEtcdData(d); err != nil {
		return nil, err
	}
	if err := checkDatabase(filepath.Join(d.etcd(), "member", "snap", "db")); err != nil {
		return nil, etcdFailed(d, err)
	}
	b := &breakage{broken: make(chan error, 1)}
	cfg := etcdConfig(d, port)
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger(d.etcdLog(), b))
	opened := make(chan opening, 1)
	go func() { opened <- openEtcd(cfg) }()
	var server *embed.Etcd
	select {
	case o := <-opened:
		if o.err != nil {
			return nil, etcdFailed(d, o.err)
		}
		server = o.server
	case err := <-b.broken:
		// What it holds is let go of when this process ends, which is next.
		return nil, etcdFailed(d, err)
	}
	var err error
	late := time.NewTimer(etcdReady)
	defer late.Stop()
	select {
	case <-server.Server.ReadyNotify():
		if err = etcdHasBegun(d); err == nil {
			return &managementEtcd{server, b}, nil
		}
	case <-late.C:
		err = etcdFailed(d, fmt.Errorf("it is not ready after %s", etcdReady))
	case err := <-b.broken:
		return nil, etcdFailed(d, err)
	case err = <-server.Err():
		err = etcdFailed(d, err)
	case <-server.Server.StopNotify():
		err = etcdFailed(d, errors.New("it stopped"))
	case <-ctx.Done():
		err = fmt.Errorf("starting the management etcd: %w", ctx.Err())
	}
	server.Close()
	return nil, err
}

// opening is what became of opening etcd's data.
type opening struct {
	server *embed.Etcd
	err    error
}

// openEtcd also survives data that ends too early: reading what is not there of a file
// that is mapped into memory is a fault.
func openEtcd(cfg *embed.Config) (o opening) {
	debug.SetPanicOnFault(true)
	defer func() {
		if reason := recover(); reason != nil {
			o = opening{err: fmt.Errorf("its data cannot be read: %v", reason)}
		}
	}()
	o.server, o.err = embed.StartEtcd(cfg)
	return o
}

// etcdFailed explains why etcd does not start.
func etcdFailed(d dataDir, err error) error {
	if explained := diskFailure(d, err); explained != nil {
		return explained
	}
	return failure.New(
		fmt.Sprintf("see %s; if its data is damaged, move %s away and restore it from a backup: nothing else has been changed", d.etcdLog(), d.etcd()),
		"the management etcd does not start with the data in %s: %v", d.etcd(), err)
}
