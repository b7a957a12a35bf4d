package hosted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/addon"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// id names an object of a tenant.
type id struct {
	kind            schema.GroupKind
	namespace, name string
}

func idOf(object client.Object) id {
	return id{object.GetObjectKind().GroupVersionKind().GroupKind(), object.GetNamespace(), object.GetName()}
}

// ownedFields are the fields that Marina owns of an object, in some words; empty for
// none and for no object.
//
// Whoever changes or removes a field takes it from its owner, so that they tell whether
// an apply would change something, from the metadata alone. A status that is written,
// or the signatures in cluster-info, change nothing of them.
func ownedFields(object client.Object) string {
	if object == nil {
		return ""
	}
	for _, entry := range object.GetManagedFields() {
		if entry.Manager != v1alpha1.FieldOwner || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		// The order in which they come depends on how they were read.
		var fields any
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			return ""
		}
		ordered, err := json.Marshal(fields)
		if err != nil {
			return ""
		}
		return string(ordered)
	}
	return ""
}

// digest sums up which fields Marina owns of what it is to keep; owned gives those of
// the object of an index.
func digest(set addon.Set, owned func(int) string) string {
	h := sha256.New()
	for i, object := range set.Reconcile {
		fmt.Fprintf(h, "%v %q\n", idOf(object), owned(i))
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// listManaged lists the metadata of what is Marina's in a tenant, of the kinds of some
// objects.
func listManaged(ctx context.Context, c client.Client, kindsOf []client.Object, options *client.ListOptions) (map[id]client.Object, error) {
	found := map[id]client.Object{}
	listed := map[schema.GroupVersionKind]bool{}
	for _, object := range kindsOf {
		kind := object.GetObjectKind().GroupVersionKind()
		if listed[kind] {
			continue
		}
		listed[kind] = true
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		all := []client.ListOption{client.MatchingLabels{addon.LabelManagedBy: addon.ManagedBy}}
		if options != nil {
			all = append(all, options)
		}
		if err := c.List(ctx, list, all...); err != nil {
			return nil, err
		}
		for i := range list.Items {
			// The items of a list do not say what they are.
			list.Items[i].SetGroupVersionKind(kind)
			found[idOf(&list.Items[i])] = &list.Items[i]
		}
	}
	return found, nil
}
