package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/harness"
)

// session is one group of steps, in a project of its own.
type session struct {
	*testing.T
	cloud cloud
	account
	client *openstack.Client
	admin  *openstack.Client

	names  map[string]string // by the values that they stand for
	facts  []fact
	taken  map[string]bool
	prefix string
}

// record writes a fact down.
func (s *session) record(name, value string) {
	s.Helper()
	name = s.prefix + name
	if s.taken[name] {
		s.Fatalf("there are two facts called %q", name)
	}
	s.taken[name] = true
	var lines []string
	for line := range strings.SplitSeq(normal(value, s.names), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	s.facts = append(s.facts, fact{name, strings.Join(lines, "\n")})
}

// call has a name stand for a value from now on.
func (s *session) call(value, name string) string {
	if value == "" {
		s.Fatalf("there is no %s to go on with; so far:\n%s", name, write("", s.facts))
	}
	s.names[value] = name
	return value
}

// answer is one of a service.
type answer struct {
	*session
	status int
	header http.Header
	body   []byte
	json   any
}

// id is that of the one object in an answer, which a name stands for from now on.
func (a answer) id(name string) string {
	a.Helper()
	object, _ := a.json.(map[string]any)
	for _, v := range object {
		if inner, ok := v.(map[string]any); ok && inner["id"] != nil {
			return a.call(fmt.Sprint(inner["id"]), name)
		}
	}
	id, _ := object["id"].(string)
	if id == "" {
		a.Fatalf("there is no id of a %s in %d %s", name, a.status, a.body)
	}
	return a.call(id, name)
}

func (a answer) text(path string) string {
	v, ok := at(a.json, path)
	if !ok {
		return ""
	}
	return shown(v, true)
}

// send makes a request, such as "POST /servers", of a service, such as "compute", or
// "compute@2.93" for a microversion.
func (s *session) send(client *openstack.Client, service, request string, body any) answer {
	s.Helper()
	name, microversion, said := strings.Cut(service, "@")
	sc, err := client.Service(s.Context(), name)
	if err != nil {
		s.Fatal(err)
	}
	header := map[string]string{"X-Auth-Token": sc.Token()}
	if name == openstack.Compute {
		if !said {
			microversion = openstack.ComputeMicroversion
		}
		if microversion != "" {
			header["OpenStack-API-Version"], header["X-OpenStack-Nova-API-Version"] = "compute "+microversion, microversion
		}
	}
	method, path, _ := strings.Cut(request, " ")
	if method == http.MethodPatch {
		header["Content-Type"] = "application/openstack-images-v2.1-json-patch"
	}
	return s.raw(method, strings.TrimSuffix(sc.ServiceURL(""), "/")+path, header, body)
}

var client = &http.Client{Timeout: 2 * time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (s *session) raw(method, url string, header map[string]string, body any) answer {
	s.Helper()
	var reader io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader, contentType = bytes.NewReader(b), "application/octet-stream"
	default:
		data, err := json.Marshal(b)
		if err != nil {
			s.Fatal(err)
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(s.Context()), method, url, reader)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	if reader != nil {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		s.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	a := answer{session: s, status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		s.Fatalf("%s %s: %v", method, url, err)
	}
	_ = json.Unmarshal(a.body, &a.json)
	return a
}

// fact is what is worth knowing of an answer: of a refusal, its dialect, and how the dataplane
// takes it; else what is at the paths.
func (a answer) fact(service string, see []string) string {
	var b strings.Builder
	fmt.Fprint(&b, a.status)
	for _, h := range []string{"Location", "Retry-After"} {
		if v := a.header.Get(h); v != "" {
			fmt.Fprintf(&b, " %s=%s", h, a.cloud.hosts().Replace(v))
		}
	}
	if a.status >= http.StatusBadRequest {
		refused := gophercloud.ErrUnexpectedResponseCode{Actual: a.status, Body: a.body, ResponseHeader: a.header}
		var e *openstack.Error
		errors.As(openstack.Classify(service, refused), &e)
		if a.json != nil {
			fmt.Fprintf(&b, " %s", shape(a.json))
		} else {
			fmt.Fprintf(&b, " %s", a.header.Get("Content-Type"))
		}
		if kind := a.text("NeutronError/type"); kind != "" {
			fmt.Fprintf(&b, " type=%s", kind)
		}
		fmt.Fprintf(&b, "\n%s: %s", e.Kind, a.cloud.hosts().Replace(e.Message))
		return b.String()
	}
	for _, path := range see {
		v, ok := at(a.json, path)
		fmt.Fprintf(&b, "\n%s = %s", path, a.cloud.hosts().Replace(shown(v, ok)))
	}
	return b.String()
}

// ask makes a request and records what is answered.
func (s *session) ask(name, service, request string, body any, see ...string) answer {
	s.Helper()
	a := s.send(s.client, service, request, body)
	plain, _, _ := strings.Cut(service, "@")
	s.record(name, a.fact(plain, see))
	return a
}

// do makes a request that no fact is about, and that has to be done.
func (s *session) do(service, request string, body any) answer {
	s.Helper()
	return s.done(s.send(s.client, service, request, body), request)
}

// asAdmin is do for whoever runs the cloud.
func (s *session) asAdmin(service, request string, body any) answer {
	s.Helper()
	return s.done(s.send(s.admin, service, request, body), request)
}

func (s *session) done(a answer, request string) answer {
	s.Helper()
	if a.status >= http.StatusBadRequest {
		s.Fatalf("%s: %d %s", request, a.status, a.body)
	}
	return a
}

// gone is what await sees where there is nothing any more.
const gone = "(gone)"

// until asks until what is at a path is one of some values, and returns the last answer.
func (s *session) until(service, request, path string, values ...string) answer {
	s.Helper()
	var a answer
	err := harness.AwaitEvery(context.WithoutCancel(s.Context()), s.cloud.interval(), 5*time.Minute, func(context.Context) error {
		a = s.send(s.client, service, request, nil)
		have := a.text(path)
		if a.status == http.StatusNotFound {
			have = gone
		}
		if slices.Contains(values, have) {
			return nil
		}
		return fmt.Errorf("%s: %s is %s and not %s: %d %s", request, path, have, values, a.status, a.body)
	})
	if err != nil {
		s.Fatal(err)
	}
	return a
}

// link records where the next page is. The order of a query means nothing.
func (a answer) link(name, path string) {
	a.Helper()
	where, query, _ := strings.Cut(a.cloud.hosts().Replace(a.text(path)), "?")
	parts := strings.Split(query, "&")
	slices.Sort(parts)
	a.record(name, where+"?"+strings.Join(parts, "&"))
}

// settled is until for a server, a volume or a load balancer, and records what it ends as.
func (s *session) settled(name, service, request, path string, see ...string) answer {
	s.Helper()
	a := s.until(service, request, path, "ACTIVE", "ERROR", "SHUTOFF", "VERIFY_RESIZE", "available", "in-use", "error", gone)
	s.record(name, a.fact(service, append([]string{path}, see...)))
	return a
}
