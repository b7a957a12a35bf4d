package hosted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
// no controller may be newer than an API server that it talks to; until then the
// controllers go on with the old version.
func (r *Reconciler) runAPIServer(ctx context.Context, s *scope) error {
	if err := r.computeInputs(ctx, s); err != nil {
		return err
	}
	running, err := s.runningInputs()
	if err != nil {
		return err
	}
	if err := r.Host.Apply(ctx, component.APIServer(s.inputs)); err != nil {
		if running != nil {
			return errors.Join(err, r.apply(ctx, component.APIServer(*running), component.ControllerManager(*running), component.Scheduler(*running)))
		}
		return err
	}
	status, err := r.Host.Status(ctx, s.hcp.Namespace, component.NameAPIServer)
	if err != nil {
		return err
	}
	if running != nil && !status.Done() {
		if err := r.apply(ctx, component.ControllerManager(*running), component.Scheduler(*running)); err != nil {
			return err
		}
		return reconcile.Wait("UpdatingAPIServer", "%d of %d API servers run %s and %d are ready%s",
			status.Updated, status.Replicas, s.hcp.Spec.Version, status.Ready, because(status.Message))
	}
	if status.Ready == 0 {
		return reconcile.Wait("WaitingForAPIServer", "no API server is ready yet%s", because(status.Message))
	}
	return nil
}

// runControllers runs the controller-managers and the schedulers.
func (r *Reconciler) runControllers(ctx context.Context, s *scope) error {
	err := r.apply(ctx, component.ControllerManager(s.inputs), component.Scheduler(s.inputs))
	running, versionErr := s.runningInputs()
	if err != nil && running != nil {
		err = errors.Join(err, r.apply(ctx, component.ControllerManager(*running), component.Scheduler(*running)))
	}
	return errors.Join(err, versionErr)
}

func (r *Reconciler) apply(ctx context.Context, components ...component.Component) error {
	for _, c := range components {
		if err := r.Host.Apply(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// computeInputs collects what the components depend on.
func (r *Reconciler) computeInputs(ctx context.Context, s *scope) error {
	version, err := release.Parse(s.hcp.Spec.Version)
	if err != nil {
		return reconcile.UserError("InvalidRelease", "%v", err)
	}
	stored, err := r.storedSecrets(ctx, s.hcp.Namespace)
	if err != nil {
		return err
	}
	etcd, ok := stored[v1alpha1.SecretEtcdClient]
	if !ok {
		return reconcile.Wait("WaitingForEtcd", "Secret %s is not seen yet", v1alpha1.SecretEtcdClient)
	}
	s.inputs = component.HostedInputs{
		Namespace:          s.hcp.Namespace,
		Kubernetes:         version.Kubernetes(),
		TenantUID:          string(s.hcp.Spec.ClusterRef.UID),
		EtcdEndpoints:      s.etcd.Status.Endpoints,
		Network:            s.hcp.Spec.Network,
		ServiceAccountHash: hash(s.secrets[v1alpha1.SecretServiceAccount]),
		EtcdCAHash:         hash(map[string][]byte{pki.CAKey: etcd[pki.CAKey]}),
		CAHash:             hash(s.secrets[v1alpha1.SecretCA]),
		Labels:             labelsOf(s.hcp),
	}
	return nil
}

// runningInputs are the inputs at the version that runs, if that is to change; nil
// if it is not, or if nothing has run yet.
func (s *scope) runningInputs() (*component.HostedInputs, error) {
	if s.hcp.Status.Version == "" || s.hcp.Status.Version == s.hcp.Spec.Version {
		return nil, nil
	}
	version, err := release.Parse(s.hcp.Status.Version)
	if err != nil {
		return nil, err
	}
	running := s.inputs
	running.Kubernetes = version.Kubernetes()
	return &running, nil
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
