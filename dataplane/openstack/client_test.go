package openstack

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"golang.org/x/sync/errgroup"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

var login = front.Match{Service: "identity", Method: "POST", Path: "/auth/tokens"}

func TestOneLoginForAll(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	credentials := w.password(t)
	var all errgroup.Group
	for range 20 {
		all.Go(func() error {
			c, err := w.pool.Client(t.Context(), w.cloud(), credentials)
			if err != nil {
				return err
			}
			sc, err := c.Service(t.Context(), Compute)
			if err != nil {
				return err
			}
			return listFlavors.ask(t.Context(), sc)
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := w.Count(login); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

func TestClientsAreToldApart(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	other := w.AddProject("other")
	credential := w.AddCredential(w.project, "marina", time.Time{})
	elsewhere := w.cloud()
	elsewhere.Region = "Elsewhere"
	seen := map[*Client]string{}
	for name, get := range map[string]func() (*Client, error){
		"password":  func() (*Client, error) { return w.pool.Client(t.Context(), w.cloud(), w.password(t)) },
		"another's": func() (*Client, error) { return w.pool.Client(t.Context(), w.cloud(), parsed(t, w.CloudsYAML(other))) },
		"credential": func() (*Client, error) {
			return w.pool.Client(t.Context(), w.cloud(), parsed(t, w.CredentialYAML(credential)))
		},
		"another region": func() (*Client, error) { return w.pool.Client(t.Context(), elsewhere, w.password(t)) },
		"internal": func() (*Client, error) {
			return w.pool.Client(t.Context(), w.cloud(), parsed(t, w.CloudsYAML(w.project)+"    interface: internal\n"))
		},
	} {
		c, err := get()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if before, ok := seen[c]; ok {
			t.Errorf("%s and %s have the same client", name, before)
		}
		seen[c] = name
		if again, _ := get(); again != c {
			t.Errorf("%s has another client the next time", name)
		}
	}
}

// Replaced credentials are not kept for ever.
func TestClientsThatNobodyAsksForGo(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	now := time.Now()
	w.pool.Now = func() time.Time { return now }
	old, used := w.password(t), parsed(t, w.CloudsYAML(w.AddProject("other")))
	ask := func(all ...Credentials) {
		t.Helper()
		for _, credentials := range all {
			if _, err := w.pool.Client(t.Context(), w.cloud(), credentials); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(25 * time.Minute)
	}
	ask(old, used)
	ask(used)
	ask(used)
	ask(used)
	if n := len(w.pool.clients); n != 1 || w.Count(login) != 2 {
		t.Errorf("%d clients after %d logins, want the one that is in use after 2", n, w.Count(login))
	}
}

func TestScope(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	got := w.client(t).Scope()
	want := Scope{ProjectID: w.project.ID, ProjectName: "tenant", Roles: []string{"member", "reader"}, Ends: w.clock.Now().Add(time.Hour)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTokensAreRenewed(t *testing.T) {
	w := newWorld(t, openstacksim.Options{TokenLifetime: time.Minute})
	c := w.client(t)
	for range 3 {
		w.clock.Step(time.Minute)
		if err := w.do(t, c, listFlavors); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Count(login); n != 4 {
		t.Errorf("%d logins in three lives of a token, want 4", n)
	}
}

// Credentials that are refused are not taken for a cloud that is away, and recover.
func TestCredentialsThatEnd(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	c := w.client(t)
	old := w.project.Password
	w.SetPassword(w.project, "new")
	if err := c.Refresh(t.Context()); !IsKind(err, Unauthorized) || strings.Contains(fmt.Sprintf("%+v", err), old) {
		t.Errorf("%+v, want %s without the password", err, Unauthorized)
	}
	w.SetPassword(w.project, old)
	if err := c.Refresh(t.Context()); err != nil {
		t.Errorf("the old password is good again: %v", err)
	}
}

func TestPatience(t *testing.T) {
	flavorList := front.Match{Service: "compute", Path: "/flavors/detail"}
	volume := front.Match{Service: "block-storage", Method: "POST"}
	for name, test := range map[string]struct {
		fault  front.Fault
		what   call
		done   bool
		waited []time.Duration
		hits   int
	}{
		"as long as it is asked for":     {front.Fault{Match: flavorList, Effect: front.Throttle(3 * time.Second), Times: 2}, listFlavors, true, []time.Duration{3 * time.Second, 3 * time.Second}, 2},
		"what was throttled is not done": {front.Fault{Match: volume, Effect: front.Throttle(time.Second), Times: 1}, createVolume, true, []time.Duration{time.Second}, 1},
		"not for ever":                   {front.Fault{Match: flavorList, Effect: front.Throttle(time.Second)}, listFlavors, false, []time.Duration{time.Second, time.Second}, 3},
		"not for long":                   {front.Fault{Match: flavorList, Effect: front.Throttle(6 * time.Second)}, listFlavors, false, nil, 1},
		"bad gateway, then well":         {front.Fault{Match: flavorList, Effect: front.Fail(502), Times: 2}, listFlavors, true, []time.Duration{time.Second, 2 * time.Second}, 2},
		"what changes is not repeated":   {front.Fault{Match: volume, Effect: front.Fail(503)}, createVolume, false, nil, 1},
		"what is broken is not repeated": {front.Fault{Match: flavorList, Effect: front.Fail(500)}, listFlavors, false, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openstacksim.Options{})
			c := w.client(t)
			fault := w.Inject(test.fault)
			if err := w.do(t, c, test.what); (err == nil) != test.done {
				t.Errorf("%v, want it done: %v", err, test.done)
			}
			if diff := cmp.Diff(test.waited, w.waited); diff != "" || fault.Hits() != test.hits {
				t.Errorf("%d hits, want %d; waits (-want +got):\n%s", fault.Hits(), test.hits, diff)
			}
		})
	}
}

func TestServicesThatAreMissing(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	c := w.client(t)
	w.HideServices("volumev3", "load-balancer")
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Has(LoadBalancer) {
		t.Error("it has a service that the catalogue has not")
	}
	if _, err := c.Service(t.Context(), LoadBalancer); !IsKind(err, NotFound) {
		t.Errorf("%v, want %s", err, NotFound)
	}
	// Some catalogues call it by the newer name only.
	if err := w.do(t, c, createVolume); err != nil {
		t.Errorf("block-storage is not taken for volumev3: %v", err)
	}
	elsewhere := w.cloud()
	elsewhere.Region = "Elsewhere"
	c, err := w.pool.Client(t.Context(), elsewhere, parsed(t, strings.ReplaceAll(w.CloudsYAML(w.project), openstacksim.Region, "Elsewhere")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Service(t.Context(), Compute); !IsKind(err, NotFound) {
		t.Errorf("%v, want %s", err, NotFound)
	}
	if diff := cmp.Diff([]string{openstacksim.Region}, c.Regions()); diff != "" {
		t.Errorf("the regions (-want +got):\n%s", diff)
	}
}

func TestMicroversion(t *testing.T) {
	for minor, want := range map[int]bool{1: false, 66: false, 67: true, 93: true} {
		t.Run(fmt.Sprint(minor), func(t *testing.T) {
			w := newWorld(t, openstacksim.Options{ComputeMinor: minor})
			newest, err := w.client(t).Microversion(t.Context())
			if (err == nil) != want || newest != fmt.Sprintf("2.%d", minor) {
				t.Errorf("%s, %v; want it good: %v", newest, err, want)
			}
		})
	}
	t.Run("a Nova that fails is not an old one", func(t *testing.T) {
		w := newWorld(t, openstacksim.Options{})
		c := w.client(t)
		w.Inject(front.Fault{Match: front.Match{Service: "compute"}, Effect: front.Fail(500)})
		if newest, err := c.Microversion(t.Context()); newest != "" || !IsKind(err, Unavailable) {
			t.Errorf("%q, %v; want %s", newest, err, Unavailable)
		}
	})
}

// A token is for who has issued it.
func TestRedirectionsElsewhereAreNotFollowed(t *testing.T) {
	var asked bool
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer thief.Close()
	var agent string
	keystone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer keystone.Close()
	credentials := parsed(t, clouds("auth: {application_credential_id: i, application_credential_secret: "+secret+"}"))
	_, err := (&Pool{Agent: "marina/test"}).Client(t.Context(), Cloud{AuthURL: keystone.URL + "/v3", Region: "r"}, credentials)
	var refused gophercloud.ErrUnexpectedResponseCode
	if !errors.As(err, &refused) || asked {
		t.Errorf("%v, and the other was asked: %v", err, asked)
	}
	if !strings.HasPrefix(agent, "marina/test gophercloud/") {
		t.Errorf("it calls itself %q", agent)
	}
}
