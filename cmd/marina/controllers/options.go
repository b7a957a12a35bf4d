package controllers

import (
	"log/slog"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Stop is how long controllers get to finish their passes.
const Stop = 10 * time.Second

// Scheme knows all kinds that the controllers handle.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, certmanager.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// Options are those of a manager that runs the controllers, on a host that reads the
// given kinds. Whether others may run besides it, and what it serves, is for its caller
// to say.
func Options(scheme *runtime.Scheme, log *slog.Logger, hosts ...client.Object) ctrl.Options {
	stop := Stop
	return ctrl.Options{
		Scheme: scheme,
		Logger: logr.FromSlogHandler(log.Handler()),
		Cache: cache.Options{
			ByObject: ours(append(hosts, &corev1.Secret{}, &corev1.ConfigMap{}, &corev1.Namespace{})...),
			// Nobody here looks at who set which field.
			DefaultTransform: cache.TransformStripManagedFields(),
		},
		GracefulShutdownTimeout: &stop,
	}
}

// ours limits the cache of kinds that others use as well: only our own objects are
// worth memory, and everything that a controller creates has the label.
func ours(kinds ...client.Object) map[client.Object]cache.ByObject {
	limited := map[client.Object]cache.ByObject{}
	for _, kind := range kinds {
		limited[kind] = cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelShard: v1alpha1.DefaultShard})}
	}
	return limited
}
