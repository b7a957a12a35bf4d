package failure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/marina-dev/marina/pkg/reconcile"
)

var clusters = schema.GroupResource{Group: "marina.dev", Resource: "clusters"}

// status is what a server answered.
func status(reason metav1.StatusReason, message string, causes ...metav1.StatusCause) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Reason:  reason,
		Message: message,
		Details: &metav1.StatusDetails{Group: "marina.dev", Kind: "Cluster", Name: "demo", Causes: causes},
	}}
}

func TestPrint(t *testing.T) {
	overlap := metav1.StatusCause{Field: "spec.network", Message: `Invalid value: podCIDR and serviceCIDR overlap: choose others`}
	cases := map[string]struct {
		err  error
		want string
		code int
	}{
		"Nothing": {},
		"Plain": {
			err:  errors.New("it broke"),
			want: "Error: it broke\n",
			code: 1,
		},
		"OneLineWhateverTheTextIs": {
			err:  errors.New("it\n\tbroke"),
			want: "Error: it broke\n",
			code: 1,
		},
		"WithAdvice": {
			err:  New("mend it", "it %s", "broke"),
			want: "Error: it broke\nWhat to do: mend it\n",
			code: 1,
		},
		"Usage": {
			err:  Usage("marina cluster wait", "NAME is missing"),
			want: "Error: NAME is missing\nWhat to do: see 'marina cluster wait --help'\n",
			code: 2,
		},
		"Timeout": {
			err:  Timeout("wait on", "not ready"),
			want: "Error: not ready\nWhat to do: wait on\n",
			code: 3,
		},
		"Wrapped": {
			err:  fmt.Errorf("waiting: %w", Timeout("wait on", "not ready")),
			want: "Error: not ready\nWhat to do: wait on\n",
			code: 3,
		},
		"Interrupted": {
			err:  fmt.Errorf("reading: %w", context.Canceled),
			want: "Error: interrupted\n",
			code: 130,
		},
		"SeveralErrorsSayTheSameAdviceOnce": {
			err:  errors.Join(New("look", "no a"), New("look", "no b"), Timeout("wait", "no c")),
			want: "Error: no a\nError: no b\nWhat to do: look\nError: no c\nWhat to do: wait\n",
			code: 1,
		},
		"OneCauseStaysOnTheLine": {
			err:  status(metav1.StatusReasonInvalid, "…", overlap),
			want: "Error: cluster \"demo\" is refused: spec.network: podCIDR and serviceCIDR overlap: choose others\n",
			code: 1,
		},
		"CausesOneALineWithoutGoNoise": {
			err: status(metav1.StatusReasonInvalid, "…",
				overlap,
				metav1.StatusCause{Field: "<nil>", Message: `Invalid value: "object": a name is short: choose another`},
				metav1.StatusCause{Field: "spec.version", Message: `Invalid value: "1.36": a version has a build`},
				metav1.StatusCause{Field: "spec.x", Message: `Invalid value: {"a":["b: c"]}: x cannot be changed`},
				metav1.StatusCause{Field: "spec.y", Message: `Required value`},
				metav1.StatusCause{Field: "metadata.name", Message: `Invalid value: "A": it must be lower case (e.g. 'a', regex used for validation is '[a-z]+')`},
				metav1.StatusCause{Field: "<nil>", Message: `Invalid value: "null": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation`},
				overlap,
			),
			want: "Error: cluster \"demo\" is refused:\n" +
				"  - spec.network: podCIDR and serviceCIDR overlap: choose others\n" +
				"  - a name is short: choose another\n" +
				"  - spec.version: a version has a build\n" +
				"  - spec.x: x cannot be changed\n" +
				"  - spec.y: Required value\n" +
				"  - metadata.name: it must be lower case (e.g. 'a')\n",
			code: 1,
		},
		"AdmissionPolicyThatSaysInvalid": {
			err: status(metav1.StatusReasonInvalid, `clusters.marina.dev "demo" is forbidden: …`, metav1.StatusCause{
				Message: `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: version 1.2.3-4 is not offered: choose one of 1.37.1-1`}),
			want: "Error: cluster \"demo\" is refused: version 1.2.3-4 is not offered: choose one of 1.37.1-1\n",
			code: 1,
		},
		"AdmissionPolicyThatSaysForbidden": {
			err: status(metav1.StatusReasonForbidden,
				`clusters.marina.dev "demo" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not here`),
			want: "Error: cluster \"demo\" is refused: not here\n",
			code: 1,
		},
		"NotAllowed": {
			err:  apierrors.NewForbidden(clusters, "demo", errors.New(`User "jane" cannot get resource`)),
			want: "Error: clusters.marina.dev \"demo\" is forbidden: User \"jane\" cannot get resource\nWhat to do: ask for the right to do so, or choose other credentials with --kubeconfig or --context\n",
			code: 1,
		},
		"NotFound": {
			err:  apierrors.NewNotFound(clusters, "demo"),
			want: "Error: no cluster \"demo\"\nWhat to do: 'marina cluster list --all-namespaces' shows what there is\n",
			code: 1,
		},
		"NoNamespace": {
			err:  apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "project"),
			want: "Error: no namespace \"project\"\nWhat to do: create it with 'kubectl create namespace project', or choose another with -n\n",
			code: 1,
		},
		"KindNotServed": {
			err:  apierrors.NewGenericServerResponse(http.StatusNotFound, "get", clusters, "demo", "404 page not found", 0, true),
			want: "Error: the management cluster does not serve marina.dev/v1alpha1\nWhat to do: check that --kubeconfig and --context name a management cluster, or start one with 'marina up'\n",
			code: 1,
		},
		"AlreadyExists": {
			err:  apierrors.NewAlreadyExists(clusters, "demo"),
			want: "Error: cluster \"demo\" exists already\nWhat to do: choose another name, or look at it with 'marina cluster get'\n",
			code: 1,
		},
		"APoolAlreadyExists": {
			err:  apierrors.NewAlreadyExists(schema.GroupResource{Group: "marina.dev", Resource: "nodepools"}, "workers"),
			want: "Error: nodepool \"workers\" exists already\nWhat to do: choose another name, or look at it with 'marina nodepool get'\n",
			code: 1,
		},
		"AServerThatHasLostItsStore": {
			err: apierrors.NewGenericServerResponse(http.StatusGatewayTimeout, "get", clusters, "", "", 0, false),
			want: "Error: the management cluster does not answer in time: it may have lost its store\n" +
				"What to do: check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile\n",
			code: 1,
		},
		"AServerThatAsksToTryLater": {
			err: apierrors.NewServerTimeout(clusters, "get", 1),
			want: "Error: the management cluster does not answer in time: it may have lost its store\n" +
				"What to do: check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile\n",
			code: 1,
		},
		"AServerThatIsNotThereYet": {
			err: apierrors.NewServiceUnavailable("it starts"),
			want: "Error: the management cluster cannot serve the request: it starts\n" +
				"What to do: check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile\n",
			code: 1,
		},
		"AnInternalError": {
			err: apierrors.NewInternalError(errors.New("no leader")),
			want: "Error: the management cluster cannot serve the request: Internal error occurred: no leader\n" +
				"What to do: check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile\n",
			code: 1,
		},
		"AnErrorOfTheStoreWithoutAReason": {
			err: &apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusInternalServerError, Message: "rpc error: code = Unavailable"}},
			want: "Error: the management cluster cannot serve the request: rpc error: code = Unavailable\n" +
				"What to do: check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile\n",
			code: 1,
		},
		"TheTimeOfTheWholeCommandIsOver": {
			err: fmt.Errorf("post: %w", context.DeadlineExceeded),
			want: "Error: the management cluster does not answer in time\n" +
				"What to do: check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile; or allow more time with --timeout\n",
			code: 3,
		},
		"StepErrorWithoutItsReason": {
			err:  reconcile.UserError("InvalidTTL", "31 days are too long"),
			want: "Error: 31 days are too long\n",
			code: 1,
		},
		"StepErrorWithACause": {
			err:  reconcile.Retry(errors.New("no luck"), "Drawing", "drawing a token"),
			want: "Error: drawing a token: no luck\n",
			code: 1,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := Print(&out, tc.err)
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
		})
	}
}

func TestReach(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &rest.Config{Host: "http://" + listener.Addr().String()}
	listener.Close() // so that nobody listens there
	Reach(config, Unreachable{What: "the management cluster", Kubeconfig: "/k", Do: "start it"})
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}

	ask := func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	var out bytes.Buffer
	code := Print(&out, ask(t.Context()))
	want := "Error: the management cluster does not answer at " + config.Host + " (kubeconfig /k): connection refused\nWhat to do: start it\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || code != 1 {
		t.Errorf("exit code %d, want 1; (-want +got):\n%s", code, diff)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := Print(&out, ask(ctx)); code != 130 {
		t.Errorf("exit code %d of an interrupted request, want 130: it says nothing about the server", code)
	}
}

// A dial that times out satisfies errors.Is(err, context.DeadlineExceeded), though
// no deadline was set by anybody: it must not be reported as --timeout.
func TestDialTimeoutIsNoTimeoutOfOurs(t *testing.T) {
	err := &Unreachable{What: "it", Server: "https://x", Err: &net.OpError{Op: "dial", Err: context.DeadlineExceeded}}
	if e := Explain(fmt.Errorf("get: %w", err)); e.Exit == ExitTimeout {
		t.Errorf("got a timeout: %v", e)
	}
}
