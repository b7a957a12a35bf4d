package hosted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// runAPIServer runs the API servers and waits for the first one: that is enough
// for everything that follows. A change of version waits for all of them, because
// no controller may be newer than an API server that it talks to.
func (r *Reconciler) runAPIServer(ctx context.Context, s *scope) error {
	version, err := release.Parse(s.release.Name)
	if err != nil {
		return reconcile.UserError("InvalidRelease", "%v", err)
	}
	s.inputs = component.HostedInputs{
		Namespace:          s.hcp.Namespace,
		Kubernetes:         version.Kubernetes(),
		TenantUID:          string(s.hcp.Spec.ClusterRef.UID),
		EtcdEndpoints:      s.etcd.Status.Endpoints,
		Network:            s.hcp.Spec.Network,
		ServiceAccountHash: hash(s.secrets[v1alpha1.SecretServiceAccount]),
		CAHash:             hash(s.secrets[v1alpha1.SecretCA]),
		Labels:             labelsOf(s.hcp),
	}
	stored, err := r.storedSecrets(ctx, s.hcp.Namespace)
	if err != nil {
		return err
	}
	etcdCA, ok := stored[v1alpha1.SecretEtcdClient]
	if !ok {
		return reconcile.Wait("WaitingForEtcd", "Secret %s is not seen yet", v1alpha1.SecretEtcdClient)
	}
	s.inputs.EtcdCAHash = hash(map[string][]byte{pki.CAKey: etcdCA[pki.CAKey]})

	if err := r.Host.Apply(ctx, component.APIServer(s.inputs)); err != nil {
		return err
	}
	status, err := r.Host.Status(ctx, s.hcp.Namespace, component.NameAPIServer)
	if err != nil {
		return err
	}
	switch changing := s.hcp.Status.Version != "" && s.hcp.Status.Version != s.hcp.Spec.Version; {
	case status.Ready == 0:
		return reconcile.Wait("WaitingForAPIServer", "no API server is ready yet%s", because(status.Message))
	case changing && !status.Done():
		return reconcile.Wait("UpdatingAPIServer", "%d of %d API servers run %s and %d are ready%s",
			status.Updated, status.Replicas, s.hcp.Spec.Version, status.Ready, because(status.Message))
	}
	return nil
}

// runControllers runs the controller-managers and the schedulers.
func (r *Reconciler) runControllers(ctx context.Context, s *scope) error {
	if err := r.Host.Apply(ctx, component.ControllerManager(s.inputs)); err != nil {
		return err
	}
	return r.Host.Apply(ctx, component.Scheduler(s.inputs))
}

// observe asks the host how the components are, whatever the steps came to.
func (r *Reconciler) observe(ctx context.Context, s *scope) {
	for _, name := range components {
		status, err := r.Host.Status(ctx, s.hcp.Namespace, name)
		if err != nil {
			status = component.Status{Replicas: component.HostedReplicas, Message: err.Error()}
		}
		s.status[name] = status
	}
}

// hash names content: equal content has equal names.
func hash(data map[string][]byte) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		fmt.Fprintf(h, "%d %s %d ", len(key), key, len(data[key]))
		h.Write(data[key])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func because(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}
