package clusters

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// tables is an API server that knows clusters a and b, and the columns.
type tables struct {
	// changes are the lines of successive watches; when there are none left, the
	// watcher is interrupted.
	changes   [][]string
	interrupt context.CancelFunc
	requests  []string
}

const columns = `"columnDefinitions":[{"name":"Name","type":"string"},{"name":"Phase","type":"string"},{"name":"Message","type":"string","priority":1}]`

func row(name, phase, version string) string {
	return fmt.Sprintf(`{"cells":[%q,%q,"all is well"],"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":%q,"namespace":"default","resourceVersion":%q}}}`,
		name, phase, name, version)
}

func table(head string, rows ...string) string {
	return fmt.Sprintf(`{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7"},%s"rows":[%s]}`, head, strings.Join(rows, ","))
}

func object(name string) string {
	return fmt.Sprintf(`{"apiVersion":"marina.dev/v1alpha1","kind":"Cluster","metadata":{"name":%q,"namespace":"default","resourceVersion":"5"}}`, name)
}

func (s *tables) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, strings.TrimPrefix(r.URL.RequestURI(), "/apis/marina.dev/v1alpha1"))
	w.Header().Set("Content-Type", "application/json")
	asTable := strings.Contains(r.Header.Get("Accept"), "as=Table")
	_, name, _ := strings.Cut(r.URL.Path, "/clusters/")
	switch {
	case r.URL.Query().Get("watch") != "":
		if len(s.changes) == 0 {
			s.interrupt()
			return
		}
		for _, line := range s.changes[0] {
			fmt.Fprintln(w, line)
		}
		s.changes = s.changes[1:]
	case strings.Contains(r.URL.Path, "/namespaces/empty/"):
		fmt.Fprint(w, table(columns+","))
	case name == "" && asTable:
		fmt.Fprint(w, table(columns+",", row("a", "Active", "5"), row("b", "Creating", "6")))
	case name == "":
		fmt.Fprintf(w, `{"apiVersion":"marina.dev/v1alpha1","kind":"ClusterList","metadata":{"resourceVersion":"7"},"items":[%s,%s]}`, object("a"), object("b"))
	case name == "a" && asTable:
		fmt.Fprint(w, table(columns+",", row("a", "Active", "5")))
	case name == "a":
		fmt.Fprint(w, object("a"))
	default:
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status:   metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound,
			Details: &metav1.StatusDetails{Kind: "clusters", Name: name},
		})
	}
}

// get runs 'marina cluster get' against s.
func get(t testing.TB, s *tables, namespace string, args ...string) (out, errOut string, err error) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.interrupt = cancel
	cmd := newGet(clitest.Open(&session.Session{Config: &rest.Config{Host: server.URL}, Namespace: namespace}), clitest.Instant{})
	return clitest.Execute(ctx, cmd, args...)
}

func TestGet(t *testing.T) {
	cases := map[string]struct {
		args      []string
		namespace string
		out       string
		errOut    string
		problem   string
	}{
		"TheServersColumns": {out: "NAME   PHASE\na      Active\nb      Creating\n"},
		"WideHasMore": {
			args: []string{"-o", "wide"},
			out:  "NAME   PHASE      MESSAGE\na      Active     all is well\nb      Creating   all is well\n",
		},
		"AllNamespaces": {
			args: []string{"-A", "--no-headers"},
			out:  "default   a     Active\ndefault   b     Creating\n",
		},
		"OneByName": {args: []string{"a"}, out: "NAME   PHASE\na      Active\n"},
		"SomeMissing": {
			args:    []string{"a", "c"},
			out:     "NAME   PHASE\na      Active\n",
			problem: "Error: no cluster \"c\" in namespace \"default\"\nWhat to do: 'marina cluster list --all-namespaces' shows what there is\n",
		},
		"None":  {namespace: "empty", errOut: "No clusters found in empty namespace.\n"},
		"Names": {args: []string{"-o", "name"}, out: "cluster.marina.dev/a\ncluster.marina.dev/b\n"},
		"OneObject": {
			args: []string{"a", "-o", "yaml"},
			out:  "apiVersion: marina.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: a\n  namespace: default\n  resourceVersion: \"5\"\n",
		},
		"NamesAndAllNamespaces": {
			args:    []string{"a", "-A"},
			problem: "Error: a cluster cannot be chosen by name from all namespaces: use -n in place of -A\nWhat to do: see 'get --help'\n",
		},
		"UnknownFormat": {
			args:    []string{"-o", "xml"},
			problem: "Error: -o: unknown format \"xml\": choose one of wide, yaml, json, name\nWhat to do: see 'get --help'\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			namespace := tc.namespace
			if namespace == "" {
				namespace = "default"
			}
			out, errOut, err := get(t, &tables{}, namespace, tc.args...)
			if diff := cmp.Diff(tc.out, out); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.errOut, errOut); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGetWatch(t *testing.T) {
	change := func(object string) string { return fmt.Sprintf(`{"type":"MODIFIED","object":%s}`, object) }
	s := &tables{changes: [][]string{
		{change(table("", row("b", "Active", "8"))), change(table("", row("b", "Degraded", "9")))},
		{change(table("", row("b", "Active", "10")))},
	}}
	out, _, err := get(t, s, "default", "-w")
	if err != nil {
		t.Fatalf("an interrupt is how a watch ends: %v", err)
	}
	want := "NAME   PHASE\na      Active\nb      Creating\nb      Active\nb      Degraded\nb      Active\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("the head once, then a line for each change (-want +got):\n%s", diff)
	}
	clusters := "/namespaces/default/clusters"
	wantRequests := []string{
		clusters,
		clusters + "?resourceVersion=7&watch=true",
		clusters + "?resourceVersion=9&watch=true",
		clusters + "?resourceVersion=10&watch=true",
	}
	if diff := cmp.Diff(wantRequests, s.requests); diff != "" {
		t.Errorf("each watch goes on where the one before ended (-want +got):\n%s", diff)
	}
}
