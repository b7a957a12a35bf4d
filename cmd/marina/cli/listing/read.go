package listing

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What is asked of the server. Tables are what kubectl asks for too: with them,
// the columns are the CRD's and stay equal to kubectl's, whatever is added.
const (
	acceptTable  = "application/json;as=Table;v=v1;g=meta.k8s.io"
	acceptObject = "application/json"
)

// reader reads objects of a kind in the form that it is made for. Answers are kept as the
// server sent them, so that fields that this version does not know are shown.
type reader struct {
	rest      rest.Interface
	kind      Kind
	accept    string
	namespace string          // empty for all
	selector  fields.Selector // what list and watch are limited to, or nil
}

func newReader(s *session.Session, kind Kind, accept string, allNamespaces bool) (*reader, error) {
	config := rest.CopyConfig(s.Config)
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	c, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	r := &reader{rest: c, kind: kind, accept: accept, namespace: s.Namespace}
	if allNamespaces || kind.ClusterScoped {
		r.namespace = ""
	}
	return r, nil
}

func (r *reader) request() *rest.Request {
	return r.rest.Get().NamespaceIfScoped(r.namespace, r.namespace != "").Resource(r.kind.Plural).
		SetHeader("Accept", r.accept)
}

// get reads one object into a *metav1.Table or an *unstructured.Unstructured.
func (r *reader) get(ctx context.Context, name string, into any) error {
	data, err := raw(r.request().Name(name).Do(ctx))
	if apierrors.IsNotFound(err) && !failure.NotServed(err) {
		return r.kind.Missing(client.ObjectKey{Namespace: r.namespace, Name: name})
	}
	return decode(data, err, into)
}

// list reads the objects. Unlike an object's, a list's resource version is that
// of now, from which a watch can go on.
func (r *reader) list(ctx context.Context, into any) error {
	data, err := raw(r.selected().Do(ctx))
	return decode(data, err, into)
}

// raw is the body of an answer. Result.Raw alone would give an error without the
// server's words.
func raw(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

func (r *reader) selected() *rest.Request {
	if r.selector == nil {
		return r.request()
	}
	return r.request().Param("fieldSelector", r.selector.String())
}

func decode(data []byte, err error, into any) error {
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the management cluster's answer cannot be read: %w", err)
	}
	if table, ok := into.(*metav1.Table); ok {
		return decodeRows(table)
	}
	return nil
}

// decodeRows makes the objects of rows known to the printer, which wants their
// namespaces.
func decodeRows(table *metav1.Table) error {
	for i := range table.Rows {
		object := &unstructured.Unstructured{}
		if err := json.Unmarshal(table.Rows[i].Object.Raw, object); err != nil {
			return fmt.Errorf("a row of the management cluster's answer cannot be read: %w", err)
		}
		table.Rows[i].Object.Object = object
	}
	return nil
}

// watch tells handle of changes after a resource version. It returns nil when the
// connection ends: the server does that from time to time, and when something is
// wrong the next request tells what.
func (r *reader) watch(ctx context.Context, resourceVersion string, handle func(metav1.WatchEvent) error) error {
	stream, err := r.selected().Param("watch", "true").Param("resourceVersion", resourceVersion).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	for decoder := json.NewDecoder(stream); ; {
		var event metav1.WatchEvent
		if decoder.Decode(&event) != nil {
			return nil
		}
		if event.Type == "ERROR" {
			var status metav1.Status
			if err := json.Unmarshal(event.Object.Raw, &status); err != nil {
				return err
			}
			return &apierrors.StatusError{ErrStatus: status}
		}
		if err := handle(event); err != nil {
			return err
		}
	}
}
