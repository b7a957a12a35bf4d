package session

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// FieldOwner differs from v1alpha1.FieldOwner, the controllers': kubectl shows who
// set a field.
const FieldOwner = client.FieldOwner("marina-cli")

// Scheme holds the kinds that the CLI reads and writes.
var Scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // a kind registered twice: a mistake in the code
		}
	}
	return s
}()

// mapper knows the paths of the few kinds without asking the server. Discovery
// would cost every command two more requests.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion, v1alpha1.GroupVersion})
	m.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	m.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	m.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	m.Add(v1alpha1.GroupVersion.WithKind("Cluster"), meta.RESTScopeNamespace)
	m.Add(v1alpha1.GroupVersion.WithKind("Operation"), meta.RESTScopeNamespace)
	m.Add(v1alpha1.GroupVersion.WithKind("NodePool"), meta.RESTScopeNamespace)
	m.Add(v1alpha1.GroupVersion.WithKind("HostedControlPlane"), meta.RESTScopeNamespace)
	m.Add(v1alpha1.GroupVersion.WithKind("KubernetesRelease"), meta.RESTScopeRoot)
	m.Add(v1alpha1.GroupVersion.WithKind("Infrastructure"), meta.RESTScopeRoot)
	return m
}

func newClient(config *rest.Config) (client.WithWatch, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("credentials of the management cluster: %w", err)
	}
	return client.NewWithWatch(config, client.Options{Scheme: Scheme, Mapper: mapper(), HTTPClient: httpClient})
}
