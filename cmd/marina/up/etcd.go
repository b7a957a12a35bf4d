package up

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

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

// etcdLogger writes to a file of limited size: what etcd says is for developers.
func etcdLogger(path string) *zap.Logger {
	encoder := zap.NewProductionEncoderConfig()
	encoder.EncodeTime = zapcore.ISO8601TimeEncoder
	file := &lumberjack.Logger{Filename: path, MaxSize: 20, MaxBackups: 2}
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoder), zapcore.AddSync(file), zap.InfoLevel))
}

// startEtcd starts the management etcd and waits until it serves.
func startEtcd(ctx context.Context, d dataDir, port int) (*embed.Etcd, error) {
	if err := os.MkdirAll(filepath.Dir(d.etcdLog()), 0o700); err != nil {
		return nil, err
	}
	cfg := etcdConfig(d, port)
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(etcdLogger(d.etcdLog()))
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, etcdFailed(d, err)
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, nil
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

func etcdFailed(d dataDir, err error) error {
	return failure.New("see "+d.etcdLog(), "the management etcd does not start: %v", err)
}
