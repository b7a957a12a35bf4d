// Command backend is what the pods of a tenant's workers run in the tests: a service, a
// webhook and an aggregated API at once, and a client.
//
//	backend serve       at port 8080 over HTTP, and at 8443 over HTTPS with /tls
//	backend get URL     prints what is served there
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "serve":
		return serve()
	case len(args) == 2 && args[0] == "get":
		return get(args[1])
	default:
		return fmt.Errorf("unknown arguments %q", args)
	}
}

func serve() error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		name, _ := os.Hostname()
		fmt.Fprintln(w, name)
	})
	mux.HandleFunc("POST /validate", validate)
	mux.HandleFunc("GET /apis/test.marina.dev/v1", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{
			"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "test.marina.dev/v1",
			"resources": []any{map[string]any{"name": "answers", "singularName": "answer", "kind": "Answer", "namespaced": false, "verbs": []string{"get"}}},
		})
	})
	// It tells whom the API server in front of it has authenticated.
	mux.HandleFunc("GET /apis/test.marina.dev/v1/answers/{name}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{
			"kind": "Answer", "apiVersion": "test.marina.dev/v1", "metadata": map[string]any{"name": r.PathValue("name")},
			"user": r.Header.Get("X-Remote-User"),
		})
	})
	fmt.Println("serving")
	failed := make(chan error, 2)
	go func() { failed <- http.ListenAndServe(":8080", mux) }()
	go func() { failed <- http.ListenAndServeTLS(":8443", "/tls/tls.crt", "/tls/tls.key", mux) }()
	return <-failed
}

// validate refuses objects with the label test.marina.dev/checked=refuse.
func validate(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Request struct {
			UID    string
			Object struct {
				Metadata struct{ Labels map[string]string }
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, map[string]any{
		"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
		"response": map[string]any{
			"uid":     review.Request.UID,
			"allowed": review.Request.Object.Metadata.Labels["test.marina.dev/checked"] != "refuse",
			"status":  map[string]any{"message": "the webhook has been asked"},
		},
	})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func get(url string) error {
	client := &http.Client{Timeout: 10 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
