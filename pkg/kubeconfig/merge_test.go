package kubeconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/pkg/pki"
)

// simple is a kubeconfig whose server tells entries of the same name apart.
func simple(name, server string) *api.Config {
	return Embedded(name, server, []byte("ca"), pki.KeyPair{CertPEM: []byte(server), KeyPEM: []byte("key")})
}

func TestMerge(t *testing.T) {
	withNamespace := func(cfg *api.Config, namespace string) *api.Config {
		for _, context := range cfg.Contexts {
			context.Namespace = namespace
		}
		return cfg
	}
	cases := map[string]struct {
		existing, added *api.Config
		setCurrent      bool
		wantServers     map[string]string
		wantCurrent     string
		wantNamespace   string // of added's context
	}{
		"IntoNothing": {
			added: simple("new", "https://new"), setCurrent: true,
			wantServers: map[string]string{"new": "https://new"}, wantCurrent: "new",
		},
		"IntoAConfigWithoutMaps": {
			existing: &api.Config{}, added: simple("new", "https://new"),
			wantServers: map[string]string{"new": "https://new"},
		},
		"BesideOthers": {
			existing: simple("old", "https://old"), added: simple("new", "https://new"), setCurrent: true,
			wantServers: map[string]string{"old": "https://old", "new": "https://new"}, wantCurrent: "new",
		},
		"WithoutSwitching": {
			existing: simple("old", "https://old"), added: simple("new", "https://new"),
			wantServers: map[string]string{"old": "https://old", "new": "https://new"}, wantCurrent: "old",
		},
		"InPlaceOfTheSameName": {
			existing: simple("new", "https://before"), added: simple("new", "https://new"),
			wantServers: map[string]string{"new": "https://new"}, wantCurrent: "new",
		},
		"TheUsersNamespaceStays": {
			existing: withNamespace(simple("new", "https://before"), "team-a"), added: simple("new", "https://new"),
			wantServers: map[string]string{"new": "https://new"}, wantCurrent: "new", wantNamespace: "team-a",
		},
		"AGivenNamespaceWins": {
			existing:    withNamespace(simple("new", "https://before"), "team-a"),
			added:       withNamespace(simple("new", "https://new"), "team-b"),
			wantServers: map[string]string{"new": "https://new"}, wantCurrent: "new", wantNamespace: "team-b",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			existing, added := tc.existing.DeepCopy(), tc.added.DeepCopy()
			got := Merge(tc.existing, tc.added, tc.setCurrent)

			servers, users := map[string]string{}, map[string]string{}
			for name, cluster := range got.Clusters {
				servers[name] = cluster.Server
			}
			for name, user := range got.AuthInfos {
				users[name] = string(user.ClientCertificateData)
			}
			if diff := cmp.Diff(tc.wantServers, servers); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantServers, users); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if len(got.Contexts) != len(tc.wantServers) {
				t.Errorf("%d contexts, want %d", len(got.Contexts), len(tc.wantServers))
			}
			if got.CurrentContext != tc.wantCurrent {
				t.Errorf("current context %q, want %q", got.CurrentContext, tc.wantCurrent)
			}
			if namespace := got.Contexts["new"].Namespace; namespace != tc.wantNamespace {
				t.Errorf("namespace %q, want %q", namespace, tc.wantNamespace)
			}
			if diff := cmp.Diff(existing, tc.existing); diff != "" {
				t.Errorf("Merge changed what it was given (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(added, tc.added); diff != "" {
				t.Errorf("Merge changed what it was given (-before +after):\n%s", diff)
			}
		})
	}
}

func TestMergeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".kube", "config")
	byFiles := ByFiles("https://files")
	for _, cfg := range []*api.Config{byFiles, simple("a", "https://a"), simple("b", "https://b")} {
		if err := MergeFile(path, cfg, true); err != nil {
			t.Fatalf("MergeFile: %v", err)
		}
	}
	got, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Contexts) != 3 || got.CurrentContext != "b" {
		t.Errorf("%d contexts, current %q; want 3 and b", len(got.Contexts), got.CurrentContext)
	}
	if ca := got.Clusters["marina"].CertificateAuthority; ca != "ca.crt" {
		t.Errorf("a relative name became %q, want it kept", ca)
	}
	if _, err := os.Stat(path + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock stayed: %v", err)
	}
}

func TestMergeFileLeavesAloneWhatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	broken := []byte("clusters: [")
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MergeFile(path, simple("a", "https://a"), true); err == nil {
		t.Error("want an error")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(broken) {
		t.Errorf("the user's file became %q, %v", got, err)
	}
	if _, err := os.Stat(path + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock stayed: %v", err)
	}
}

func TestMergeFileRespectsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path+".lock", nil, 0); err != nil {
		t.Fatal(err)
	}
	err := MergeFile(path, simple("a", "https://a"), true)
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), path+".lock") {
		t.Errorf("%v; want an error that names the lock file", err)
	}
	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Errorf("another's lock was taken away: %v", err)
	}
}

func TestNotAfter(t *testing.T) {
	day0 := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	ca, err := pki.NewCA("kubernetes", day0, 0)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(pki.Request{CommonName: "admin", Usage: pki.ClientAuth, Validity: time.Hour}, day0)
	if err != nil {
		t.Fatal(err)
	}
	good := Embedded("new", "https://new", ca.CertPEM, pair)
	noContext := good.DeepCopy()
	noContext.CurrentContext = ""
	noUser := good.DeepCopy()
	noUser.AuthInfos = nil

	cases := map[string]struct {
		cfg    *api.Config
		want   time.Time
		noCert bool
	}{
		"Embedded":          {cfg: good, want: day0.Add(time.Hour)},
		"OfTheCurrentOne":   {cfg: Merge(simple("old", "https://old"), good, true), want: day0.Add(time.Hour)},
		"AToken":            {cfg: Bootstrap("https://new", ca.CertPEM, "token"), noCert: true},
		"Files":             {cfg: ByFiles("https://new"), noCert: true},
		"NoCurrentContext":  {cfg: noContext},
		"NoSuchUser":        {cfg: noUser},
		"JunkAsCertificate": {cfg: simple("new", "junk")},
		"Nothing":           {cfg: api.NewConfig()},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := NotAfter(tc.cfg)
			if (err != nil) != tc.want.IsZero() || errors.Is(err, ErrNoClientCertificate) != tc.noCert {
				t.Fatalf("NotAfter = %s, %v; want %s, ErrNoClientCertificate: %v", got, err, tc.want, tc.noCert)
			}
			if !got.Equal(tc.want) {
				t.Errorf("NotAfter = %s, want %s", got, tc.want)
			}
		})
	}
}
