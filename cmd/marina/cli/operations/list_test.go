package operations

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// list runs 'marina operation list' against a server of two operations, of which
// the first by name is the newer one. It returns what was asked of the server.
func list(t testing.TB, args ...string) (out, errOut, request string) {
	t.Helper()
	metadata := func(name string, minute int) string {
		return fmt.Sprintf(`{"name":%q,"namespace":"default","creationTimestamp":"2026-01-01T00:%02d:00Z"}`, name, minute)
	}
	row := func(name string, minute int) string {
		return fmt.Sprintf(`{"cells":[%q],"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":%s}}`, name, metadata(name, minute))
	}
	object := func(name string, minute int) string {
		return fmt.Sprintf(`{"apiVersion":"marina.dev/v1alpha1","kind":"Operation","metadata":%s}`, metadata(name, minute))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request = strings.TrimPrefix(r.URL.RequestURI(), "/apis/marina.dev/v1alpha1")
		w.Header().Set("Content-Type", "application/json")
		asTable := strings.Contains(r.Header.Get("Accept"), "as=Table")
		rows := row("a", 2) + "," + row("b", 1)
		if strings.Contains(request, "nobody") {
			rows = ""
		}
		if asTable {
			fmt.Fprintf(w, `{"kind":"Table","apiVersion":"meta.k8s.io/v1","columnDefinitions":[{"name":"Name","type":"string"}],"rows":[%s]}`, rows)
			return
		}
		fmt.Fprintf(w, `{"apiVersion":"marina.dev/v1alpha1","kind":"OperationList","items":[%s,%s]}`, object("a", 2), object("b", 1))
	}))
	defer server.Close()
	cmd := newList(clitest.Open(&session.Session{Config: &rest.Config{Host: server.URL}, Namespace: "default"}), clitest.Instant{})
	out, errOut, err := clitest.Execute(t.Context(), cmd, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out, errOut, request
}

func TestList(t *testing.T) {
	cases := map[string]struct{ args, out, errOut, request string }{
		"NewestLast":          {out: "NAME\nb\na\n", request: "/namespaces/default/operations"},
		"ObjectsNewestLast":   {args: "-o name", out: "operation.marina.dev/b\noperation.marina.dev/a\n", request: "/namespaces/default/operations"},
		"OfACluster":          {args: "demo --no-headers", out: "b\na\n", request: "/namespaces/default/operations?fieldSelector=spec.targetRef.name%3Ddemo"},
		"OfAllNamespaces":     {args: "-A", out: "NAMESPACE   NAME\ndefault     b\ndefault     a\n", request: "/operations"},
		"NoneOfThisCluster":   {args: "nobody", errOut: "No operations on \"nobody\" found in default namespace.\n", request: "/namespaces/default/operations?fieldSelector=spec.targetRef.name%3Dnobody"},
		"NoneOfThemAnywhere":  {args: "nobody -A", errOut: "No operations on \"nobody\" found\n", request: "/operations?fieldSelector=spec.targetRef.name%3Dnobody"},
		"ObjectsOfOneCluster": {args: "demo -o name", out: "operation.marina.dev/b\noperation.marina.dev/a\n", request: "/namespaces/default/operations?fieldSelector=spec.targetRef.name%3Ddemo"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, errOut, request := list(t, strings.Fields(tc.args)...)
			got := struct{ args, out, errOut, request string }{tc.args, out, errOut, request}
			if diff := cmp.Diff(fmt.Sprintf("%+q", tc), fmt.Sprintf("%+q", got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
