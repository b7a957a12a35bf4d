package session

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Operation reads an operation of the session's namespace.
func (s *Session) Operation(ctx context.Context, name string) (*v1alpha1.Operation, error) {
	operation := &v1alpha1.Operation{}
	if err := s.Read(ctx, name, operation, NoOperation); err != nil {
		return nil, err
	}
	return operation, nil
}

// NoOperation says that there is no such operation.
func NoOperation(key client.ObjectKey) *failure.Error {
	return &failure.Error{
		Message: fmt.Sprintf("no operation %q in namespace %q", key.Name, key.Namespace),
		Do:      "'marina operation list --all-namespaces' shows what there is",
	}
}
