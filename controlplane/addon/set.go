package addon

import (
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// LabelManagedBy and ManagedBy select what Marina applies in tenants.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "marina"
)

// Set is all that Marina applies in one tenant.
type Set struct {
	// Reconcile is Marina's own, to be put back when it was changed or deleted.
	Reconcile []client.Object
	// EnsureExists is made when it is not there, and from then on the tenant's.
	EnsureExists []client.Object
	// Obsolete is what the tenant may have from before and is not to have any more:
	// where it is Marina's it is to be deleted. Of an object it has kind and name only.
	Obsolete []client.Object
}

// Compute returns what a tenant is to have, with apiVersion and kind set, each time the
// same for the same inputs. In which order it is applied does not matter; namespaces
// are made by the API server a moment after it has become ready, so that applying it
// may have to be tried again.
//
// An error means that an input is wrong; it says which.
func Compute(in Inputs) (Set, error) {
	c, err := in.check()
	if err != nil {
		return Set{}, err
	}
	var set Set
	if set.Reconcile, err = c.basics(); err != nil {
		return Set{}, err
	}
	service, err := c.kubernetesService()
	if err != nil {
		return Set{}, err
	}
	set.Reconcile = append(set.Reconcile, service...)
	set.keep(c.coreDNS(), in.Addons.CoreDNS != v1alpha1.AddonNone)
	if in.Addons.CoreDNS != v1alpha1.AddonNone {
		set.EnsureExists = append(set.EnsureExists, c.corefile())
	}
	set.keep(c.kubeProxy(), in.Addons.KubeProxy != v1alpha1.AddonNone)
	set.keep(c.konnectivity(), in.Konnectivity != "")
	set.keep(c.pullSecret(), in.PullSecret != nil)
	if len(service) == 0 {
		// It may be there from an address that there was before; any will do to name it.
		before, err := KubernetesService("192.0.2.1", 443)
		if err != nil {
			return Set{}, err
		}
		set.keep(before, false)
	}
	return set, nil
}

// Hash names the set by its content; see the function Hash.
func (s Set) Hash() string {
	return Hash(slices.Concat(s.Reconcile, s.EnsureExists, s.Obsolete))
}

// keep adds objects to those that are wanted, or to those that are not.
func (s *Set) keep(objects []client.Object, wanted bool) {
	if wanted {
		s.Reconcile = append(s.Reconcile, objects...)
		return
	}
	for _, object := range objects {
		named := &metav1.PartialObjectMetadata{}
		named.SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
		named.Namespace, named.Name = object.GetNamespace(), object.GetName()
		s.Obsolete = append(s.Obsolete, named)
	}
}

// kubernetesService is KubernetesService for the API server's address.
func (c checked) kubernetesService() ([]client.Object, error) {
	port, err := strconv.ParseInt(c.port, 10, 32)
	if err != nil {
		return nil, err
	}
	return KubernetesService(c.host, int32(port))
}
