package infrastructures

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

const table = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7"},
	"columnDefinitions":[{"name":"Name","type":"string"},{"name":"Region","type":"string"},{"name":"Message","type":"string","priority":1}],"rows":[%s]}`

// list runs 'marina infrastructure list' in a namespace, against an API server with some
// rows, and returns what was asked of that.
func list(t testing.TB, rows string, args ...string) (out, errOut, asked string, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RequestURI()
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/rome") {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"details":{"name":"rome","kind":"infrastructures"}}`)
			return
		}
		fmt.Fprintf(w, table, rows)
	}))
	defer server.Close()
	cmd := newList(clitest.Open(&session.Session{Config: &rest.Config{Host: server.URL}, Namespace: "team-a"}), clock.RealClock{})
	out, errOut, err = clitest.Execute(t.Context(), cmd, args...)
	return out, errOut, asked, err
}

// They are in no namespace, whichever one is chosen.
func TestList(t *testing.T) {
	const row = `{"cells":["paris","RegionOne","all is well"],"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"paris"}}}`
	out, _, asked, err := list(t, row)
	if err != nil || asked != "/apis/marina.dev/v1alpha1/infrastructures" {
		t.Errorf("asked %s, %v", asked, err)
	}
	if diff := cmp.Diff("NAME    REGION\nparis   RegionOne\n", out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, errOut, _, err := list(t, ""); err != nil || errOut != "No infrastructures found\n" {
		t.Errorf("of none: %q, %v", errOut, err)
	}
	if _, _, _, err := list(t, "", "-A"); err == nil {
		t.Error("-A is taken, which means nothing here")
	}
	_, _, asked, err = list(t, "", "rome")
	if shown := clitest.Explained(err); asked != "/apis/marina.dev/v1alpha1/infrastructures/rome" || !strings.Contains(shown, `no infrastructure "rome"`) {
		t.Errorf("asked %s: %s", asked, shown)
	}
}
