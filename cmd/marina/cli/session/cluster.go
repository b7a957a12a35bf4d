package session

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Cluster reads a cluster of the session's namespace.
func (s *Session) Cluster(ctx context.Context, name string) (*v1alpha1.Cluster, error) {
	cluster := &v1alpha1.Cluster{}
	if err := s.Read(ctx, name, cluster, NoCluster); err != nil {
		return nil, err
	}
	return cluster, nil
}

// NoCluster says that there is no such cluster. Unlike the API server's message it
// names the namespace, which is what people most often get wrong.
func NoCluster(key client.ObjectKey) *failure.Error {
	return &failure.Error{
		Message: fmt.Sprintf("no cluster %q in namespace %q", key.Name, key.Namespace),
		Do:      "'marina cluster list --all-namespaces' shows what there is",
	}
}

// Ref is an object as it has to be named again, in a command in a message.
func Ref(key client.ObjectKey) string {
	if key.Namespace == metav1.NamespaceDefault {
		return key.Name
	}
	return key.Name + " -n " + key.Namespace
}
