package session

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// NodePool reads a pool of nodes of the session's namespace.
func (s *Session) NodePool(ctx context.Context, name string) (*v1alpha1.NodePool, error) {
	pool := &v1alpha1.NodePool{}
	if err := s.Read(ctx, name, pool, NoNodePool); err != nil {
		return nil, err
	}
	return pool, nil
}

// NoNodePool says that there is no such pool of nodes.
func NoNodePool(key client.ObjectKey) *failure.Error {
	return &failure.Error{
		Message: fmt.Sprintf("no nodepool %q in namespace %q", key.Name, key.Namespace),
		Do:      "'marina nodepool list --all-namespaces' shows what there is",
	}
}
