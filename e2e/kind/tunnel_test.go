//go:build kind

package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"

	"github.com/marina-dev/marina/e2e/harness"
)

// tunnels are the names of what goes through Konnectivity.
var tunnels = []string{"webhook that fails closed", "aggregated API", "logs", "exec", "port-forward"}

// tunnelled is what an API server does through Konnectivity: it reaches nodes and pods.
// Each works with a connection of its own, and fails if the far end has not answered.
func (s *tenant) tunnelled(t *testing.T) map[string]func(context.Context) error {
	t.Helper()
	var pod string
	for _, p := range s.backends(t) {
		pod = p.Name
	}
	return map[string]func(context.Context) error{
		"webhook that fails closed": s.callWebhook,
		"aggregated API":            s.callAggregated,
		"logs":                      func(ctx context.Context) error { return s.readLog(ctx, pod) },
		"exec": func(ctx context.Context) error {
			out, err := s.exec(ctx, pod, "/backend", "get", "http://localhost:8080/")
			if err == nil && strings.TrimSpace(out) != pod {
				err = fmt.Errorf("it prints %q", out)
			}
			return err
		},
		"port-forward": func(ctx context.Context) error { return s.forward(ctx, pod) },
	}
}

// callWebhook creates an object without keeping it; a second one is refused.
func (s *tenant) callWebhook(ctx context.Context) error {
	for verdict, refused := range map[string]bool{"allow": false, "refuse": true} {
		body, err := json.Marshal(&corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{GenerateName: "checked-", Labels: map[string]string{"test.marina.dev/checked": verdict}},
		})
		if err != nil {
			return err
		}
		answer, err := s.ask(ctx, http.MethodPost, "/api/v1/namespaces/default/configmaps?dryRun=All", body)
		if said := err != nil && strings.Contains(err.Error(), "the webhook has been asked"); said != refused || err != nil && !said {
			return fmt.Errorf("an object to %s: %s: %w", verdict, answer, err)
		}
	}
	return nil
}

func (s *tenant) callAggregated(ctx context.Context) error {
	answer, err := s.ask(ctx, http.MethodGet, "/apis/test.marina.dev/v1/answers/one", nil)
	if err != nil {
		return err
	}
	var a struct{ Kind, User string }
	if err := json.Unmarshal(answer, &a); err != nil || a.Kind != "Answer" || a.User == "" {
		return fmt.Errorf("it says %s", answer)
	}
	return nil
}

func (s *tenant) readLog(ctx context.Context, pod string) error {
	out, err := s.ask(ctx, http.MethodGet, "/api/v1/namespaces/backend/pods/"+pod+"/log", nil)
	if err == nil && !strings.Contains(string(out), "serving") {
		err = fmt.Errorf("it says %q", out)
	}
	return err
}

// ask sends one request over a connection of its own.
func (s *tenant) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	tlsConfig, err := rest.TLSConfigFor(s.config)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, s.config.Host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s: %.300s", response.Status, answer)
	}
	return answer, err
}

// exec runs a command in a pod of the backend.
func (s *tenant) exec(ctx context.Context, pod string, command ...string) (string, error) {
	url := s.api.CoreV1().RESTClient().Post().Namespace("backend").Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
	executor, err := remotecommand.NewWebSocketExecutor(s.config, http.MethodGet, url.String())
	if err != nil {
		return "", err
	}
	var out, errOut bytes.Buffer
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &errOut}); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, errOut.String())
	}
	return out.String(), nil
}

// forward asks a pod through a forwarded port.
func (s *tenant) forward(ctx context.Context, pod string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	url := s.api.CoreV1().RESTClient().Post().Namespace("backend").Resource("pods").Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(s.config)
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	forwarder, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url), []string{":8080"}, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return errors.Join(err, ctx.Err(), errors.New("it ended before it was ready"))
	case <-ctx.Done():
		return ctx.Err()
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local), nil)
	if err != nil {
		return err
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	name, err := io.ReadAll(response.Body)
	if err == nil && strings.TrimSpace(string(name)) != pod {
		err = fmt.Errorf("%q answers, want %q", name, pod)
	}
	return err
}

// startTunnels asks for all of them, once a second each.
func (s *tenant) startTunnels(t *testing.T) map[string]*harness.Prober {
	t.Helper()
	probers := map[string]*harness.Prober{}
	for what, ask := range s.tunnelled(t) {
		probers[what] = harness.StartAsking(t, time.Second, ask)
	}
	return probers
}
