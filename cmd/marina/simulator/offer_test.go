package simulator

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

// running is a simulator of a test.
type running struct {
	Options
	served *served
}

func (r *running) start(t *testing.T) {
	t.Helper()
	var err error
	r.served, err = start(t.Context(), r.Options)
	check(t, err)
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	check(t, r.served.stop(t.Context()))
}

// logIn is as the user of the project "tenant".
func (r *running) logIn(t *testing.T, password string) (*gophercloud.ProviderClient, error) {
	t.Helper()
	return openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{
		IdentityEndpoint: "http://" + r.Listen + "/identity/v3", Username: UserName("tenant"), Password: password, DomainName: "Default",
		Scope: &gophercloud.AuthScope{ProjectName: "tenant", DomainName: "Default"},
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRunning(t *testing.T) *running {
	t.Helper()
	// An address of this process's own: nobody else takes the port until the cloud listens.
	listener, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.9:0", 1+os.Getpid()%250, 1+os.Getpid()/250%250))
	check(t, err)
	check(t, listener.Close())
	return &running{Options: Options{
		Listen: listener.Addr().String(), DataDir: filepath.Join(t.TempDir(), "cloud"), BinDir: t.TempDir(), Accounts: t.TempDir(),
		Kubernetes: []string{"v1.36.4"}, Log: slog.New(slog.DiscardHandler),
	}}
}

func TestTheCloudGoesOnAndTakesWhatIsNew(t *testing.T) {
	r := newRunning(t)
	account := filepath.Join(r.Accounts, "tenant")
	check(t, os.WriteFile(account, []byte("first\n"), 0o600))
	r.start(t)
	provider, err := r.logIn(t, "first")
	check(t, err)
	before := seen(t, provider)
	if diff := cmp.Diff([]string{"b3-16", "b3-32", "b3-4", "b3-8", "node-v1.36.4"}, before); diff != "" {
		t.Error("(-want +got)", diff)
	}
	r.stop(t)

	check(t, os.WriteFile(account, []byte("second"), 0o600))
	r.Kubernetes = append(r.Kubernetes, "v1.37.1")
	r.start(t)
	if _, err := r.logIn(t, "first"); !gophercloud.ResponseCodeIs(err, 401) {
		t.Errorf("the password of before got %v", err)
	}
	provider, err = r.logIn(t, "second")
	check(t, err)
	if diff := cmp.Diff(append(before, "node-v1.37.1"), seen(t, provider)); diff != "" {
		t.Error("each once, and one more image (-want +got)", diff)
	}
	r.stop(t)
}

// seen are the names of all flavors and images.
func seen(t *testing.T, provider *gophercloud.ProviderClient) (names []string) {
	t.Helper()
	compute, err := openstack.NewComputeV2(provider, gophercloud.EndpointOpts{Region: Region})
	check(t, err)
	pages, err := flavors.ListDetail(compute, nil).AllPages(t.Context())
	check(t, err)
	flavors, err := flavors.ExtractFlavors(pages)
	check(t, err)
	for _, f := range flavors {
		names = append(names, f.Name)
	}
	image, err := openstack.NewImageV2(provider, gophercloud.EndpointOpts{Region: Region})
	check(t, err)
	pages, err = images.List(image, nil).AllPages(t.Context())
	check(t, err)
	images, err := images.ExtractImages(pages)
	check(t, err)
	for _, i := range images {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return names
}

// A cloud whose file is damaged ends with words, and leaves the nodes and the file alone.
func TestADamagedFileIsNamed(t *testing.T) {
	r := newRunning(t)
	file := filepath.Join(r.DataDir, "cloud.json")
	check(t, os.MkdirAll(r.DataDir, 0o700))
	check(t, os.WriteFile(file, []byte("{"), 0o600))
	err := Run(t.Context(), r.Options)
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error with the file's name", err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "{" {
		t.Errorf("the file holds %q (%v)", got, err)
	}
}

func TestArgsAreUnderstood(t *testing.T) {
	want := Options{Listen: "127.0.0.1:1", DataDir: "/d", BinDir: "/b", Accounts: "/a", Kubernetes: []string{"v1.36.4", "v1.37.1"}}
	cmd := NewCommand()
	check(t, cmd.ParseFlags(want.Args()[1:]))
	for name, value := range map[string]string{"listen": "127.0.0.1:1", "data-dir": "/d", "bin-dir": "/b", "accounts": "/a", "kubernetes": "[v1.36.4,v1.37.1]"} {
		if got := cmd.Flag(name).Value.String(); got != value {
			t.Errorf("--%s is %q, want %q", name, got, value)
		}
	}
}
