package operation

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// ToTarget maps an Operation to its target, if that is of a kind.
func ToTarget(kind string) handler.MapFunc {
	return func(_ context.Context, object client.Object) []reconcile.Request {
		op := object.(*v1alpha1.Operation)
		if KindOf(op) != kind {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: op.Namespace, Name: op.Spec.TargetRef.Name}}}
	}
}

// Unfinished leaves out what is history.
var Unfinished = predicate.NewPredicateFuncs(func(object client.Object) bool {
	return !object.(*v1alpha1.Operation).Status.Phase.Finished()
})
