package container

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/dataplane/userdata"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/pkg/kubeconfig"
)

// id is of a server.
const id = "6f1c2d6e-7a55-4a35-9d0d-3f3f5b8c0001"

// rendered is the user data of a real node.
func rendered(t *testing.T, apiServer string) []byte {
	t.Helper()
	bootstrap, err := kubeconfig.Encode(&clientcmdapi.Config{
		CurrentContext: "node",
		Contexts:       map[string]*clientcmdapi.Context{"node": {Cluster: "shop", AuthInfo: "token"}},
		Clusters:       map[string]*clientcmdapi.Cluster{"shop": {Server: apiServer, CertificateAuthorityData: []byte("CA")}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"token": {Token: "abcdef.0123456789abcdef"}},
	})
	check(t, err)
	data, err := userdata.Render(userdata.Node{
		Name: "shop-pool-x2k4m", BootstrapKubeconfig: bootstrap,
		KubeletConfiguration: []byte("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"),
		Capacity:             userdata.Capacity{CPUs: 2, MemoryMiB: 4096, DiskGiB: 50},
	})
	check(t, err)
	return data
}

func server(t *testing.T) nova.Instance {
	t.Helper()
	return nova.Instance{
		ID: id, Name: "shop-pool-x2k4m", UserData: rendered(t, "https://127.0.0.1:21007"), VCPUs: 2, RAMMiB: 4096, DiskGiB: 50,
		Image: map[string]string{"name": "node", guest.PropertyKubernetes: "v1.37.1"},
	}
}

// place is where drivers of a test work, with a program in place of the client of an
// engine: it notes what it is told, knows of one container, and fails where it is to.
type place struct{ dir, said, state, fails string }

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{dir: t.TempDir()}
	bin := t.TempDir()
	p.said, p.state, p.fails = filepath.Join(bin, "said"), filepath.Join(bin, "state"), filepath.Join(bin, "fails")
	p.is(t, "")
	check(t, os.WriteFile(p.fails, []byte("nothing"), 0o600))
	check(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(`#!/bin/sh
[ "$1 $2" = "--host unix:///engine" ] || exit 7
shift 2
case $1 in
ps) cat '`+p.state+`'; exit ;;
cp) cat >'`+p.said+`.tar' ;;
esac
echo "$@" >>'`+p.said+`'
if [ "$1" = "$(cat '`+p.fails+`')" ]; then echo "no space left" >&2; exit 1; fi
`), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return p
}

// is sets what docker ps prints.
func (p place) is(t *testing.T, state string) {
	t.Helper()
	check(t, os.WriteFile(p.state, []byte(state+"\n"), 0o600))
}

// told is what the engine was told since the last time: of each command the first word and
// the last one.
func (p place) told(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(p.said)
	if os.IsNotExist(err) {
		return nil
	}
	check(t, err)
	check(t, os.Remove(p.said))
	var all []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		all = append(all, words[0]+" "+words[len(words)-1])
	}
	return all
}

func (p place) driver(t *testing.T) *Driver {
	t.Helper()
	d, err := New(Options{
		Dir: p.dir, Engine: "unix:///engine", Images: map[string]string{"v1.37.1": "node:v1.37.1"}, Log: slog.New(slog.DiscardHandler),
	})
	check(t, err)
	t.Cleanup(func() { check(t, d.Leave()) })
	return d
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
