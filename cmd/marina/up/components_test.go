package up

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/cmd/marina/simulator"
	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/pki"
)

var update = flag.Bool("update", false, "write the golden files anew")

func testInputs() managementInputs {
	return managementInputs{
		kubernetes: "v1.37.1",
		run:        "this-one",
		etcdPort:   7444,
		server:     "https://127.0.0.1:7443",
		keys: &credentials{
			etcdCA:     pki.KeyPair{CertPEM: []byte("etcd's CA")},
			signing:    []byte("signing"),
			verifying:  []byte("verifying"),
			encryption: []byte("encryption"),
		},
	}
}

// The golden files show a reviewer what the processes become, and what is told of the
// simulated cloud.
func TestGolden(t *testing.T) {
	const authURL = "http://127.0.0.1:21000/identity/v3"
	cloudOptions := Options{DataDir: "/data/$HOME", BinDir: "/bin"}
	accounts := map[string]string{accountOperator: "o", accountTenant: "t"}
	for name, object := range map[string]any{
		programAPIServer:         apiServer(testInputs()),
		programControllerManager: controllerManager(testInputs()),
		nameCloud:                cloudComponent(cloudOptions, simulator.Containers{}, accounts, []string{"v1.36.4", "v1.37.1", "v1.37.1"}),
		"infrastructure":         cloudInfrastructure(authURL, map[string]string{"1.37.1-1": "v1.37.1", "1.36.4-1": "v1.36.4", "1.37.1-2": "v1.37.1"}),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				write(t, path, string(got), 0o644)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s differs; if that is meant: go test ./cmd/marina/up -run Golden -update\n%s", path, diff)
			}
		})
	}
}

// A renewed certificate must not restart the API server, but a new CA of etcd or a
// new signing key must: it reads them only when it starts.
func TestWhatRestartsTheAPIServer(t *testing.T) {
	before := apiServer(testInputs()).Mounts
	cases := map[string]struct {
		change func(*managementInputs)
		want   bool
	}{
		"ALeaf": {func(in *managementInputs) {
			in.keys.leaves = map[string]pki.KeyPair{leafAPIServer: {CertPEM: []byte("new")}}
		}, false},
		"ItsCA":          {func(in *managementInputs) { in.keys.ca = pki.KeyPair{CertPEM: []byte("new")} }, false},
		"Encryption":     {func(in *managementInputs) { in.keys.encryption = []byte("new") }, false},
		"EtcdsCA":        {func(in *managementInputs) { in.keys.etcdCA = pki.KeyPair{CertPEM: []byte("new")} }, true},
		"TheSigningKey":  {func(in *managementInputs) { in.keys.signing = []byte("new") }, true},
		"NothingChanged": {func(*managementInputs) {}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := testInputs()
			tc.change(&in)
			if got := !cmp.Equal(before, apiServer(in).Mounts); got != tc.want {
				t.Errorf("restarts = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestEveryMountHasItsFiles(t *testing.T) {
	in := testInputs()
	in.keys = mustEnsure(t, dataDir(t.TempDir()), day())
	files, err := staticFiles(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []component.Component{apiServer(in), controllerManager(in)} {
		for _, m := range c.Mounts {
			data, err := files.Read(t.Context(), c.Namespace, m)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			for _, key := range m.Keys {
				if len(data[key]) == 0 {
					t.Errorf("%s: %s has no %s", c.Name, m.Secret, key)
				}
			}
		}
	}
}

func TestEtcdIsSafe(t *testing.T) {
	cfg := etcdConfig("/data", 7444)
	if cfg.UnsafeNoFsync {
		t.Error("it does not wait for the disk: a power failure would lose tenants")
	}
	if !cfg.ClientTLSInfo.ClientCertAuth || cfg.ClientTLSInfo.TrustedCAFile == "" {
		t.Error("it lets in who has no certificate")
	}
	for _, url := range cfg.ListenClientUrls {
		if url.Scheme != "https" || url.Hostname() != "127.0.0.1" {
			t.Errorf("it listens on %s", url.String())
		}
	}
	if len(cfg.ListenPeerUrls)+len(cfg.ListenMetricsUrls)+len(cfg.ListenClientHttpUrls) != 0 {
		t.Error("it listens for more than clients")
	}
	if cfg.AutoCompactionMode != embed.CompactorModePeriodic || cfg.AutoCompactionRetention != "5m" {
		t.Errorf("it compacts %s %s, want what the API server does not do", cfg.AutoCompactionMode, cfg.AutoCompactionRetention)
	}
	if cfg.QuotaBackendBytes != 4<<30 {
		t.Errorf("its quota is %d, want 4 GiB", cfg.QuotaBackendBytes)
	}
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestTenantsStopInOrder(t *testing.T) {
	for c, want := range map[[2]string]int{
		{"marina-shop-0d8ec3f1", "kube-controller-manager"}: 0,
		{"marina-shop-0d8ec3f1", "kube-scheduler"}:          0,
		{"marina-shop-0d8ec3f1", "kube-apiserver"}:          1,
		{"marina-system", "etcd-default"}:                   2,
	} {
		if got := stopOrder(c[0], c[1]); got != want {
			t.Errorf("%v is stopped in step %d, want %d", c, got, want)
		}
	}
}
