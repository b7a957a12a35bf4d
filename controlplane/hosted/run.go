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
	if err := r.apply(ctx, s, s.target(component.NameAPIServer), component.NameAPIServer); err != nil {
		return errors.Join(err, r.goOn(ctx, s, components...))
	}
	status, err := r.Host.Status(ctx, s.hcp.Namespace, component.NameAPIServer)
	if err != nil {
		return err
	}
	if s.changesVersion() && !s.paused() && !status.Done() {
		if err := r.goOn(ctx, s, component.NameControllerManager, component.NameScheduler); err != nil {
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
	for _, name := range []string{component.NameControllerManager, component.NameScheduler} {
		if err := r.apply(ctx, s, s.target(name), name); err != nil {
			return errors.Join(err, r.goOn(ctx, s, component.NameControllerManager, component.NameScheduler))
		}
	}
	return nil
}

// target is the version that a component is to run. While a change of version is
// paused each one stays at what it was given last.
func (s *scope) target(name string) string {
	if !s.paused() {
		return s.hcp.Spec.Version
	}
	if given := componentStatus(s.hcp, name).Version; given != "" {
		return given
	}
	return s.hcp.Status.Version
}

// paused reports whether a change of version has been stopped halfway.
func (s *scope) paused() bool { return s.hcp.Spec.Paused && s.changesVersion() }

// version is the release whose parts inside the tenant are wanted.
func (s *scope) version() string {
	if s.paused() {
		return s.hcp.Status.Version
	}
	return s.hcp.Spec.Version
}

// goOn runs components at the version that the control plane runs while it is to
// change and cannot; otherwise it does nothing.
func (r *Reconciler) goOn(ctx context.Context, s *scope, names ...string) error {
	if !s.changesVersion() {
		return nil
	}
	return r.apply(ctx, s, s.hcp.Status.Version, names...)
}

// apply runs components at the version of a release.
func (r *Reconciler) apply(ctx context.Context, s *scope, of string, names ...string) error {
	version, err := release.Parse(of)
	if err != nil {
		return reconcile.UserError("InvalidRelease", "%v", err)
	}
	in := s.inputs
	in.Kubernetes = version.Kubernetes()
	for _, c := range []component.Component{component.APIServer(in), component.ControllerManager(in), component.Scheduler(in)} {
		if !slices.Contains(names, c.Name) {
			continue
		}
		if err := r.Host.Apply(ctx, c); err != nil {
			return err
		}
		s.applied[c.Name] = of
	}
	return nil
}

// changesVersion reports whether the control plane runs another version than it is to.
func (s *scope) changesVersion() bool {
	return s.hcp.Status.Version != "" && s.hcp.Status.Version != s.hcp.Spec.Version
}

// computeInputs collects what the components depend on.
func (r *Reconciler) computeInputs(ctx context.Context, s *scope) error {
	version, err := release.Parse(s.version())
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
		Restarts:           s.hcp.Spec.Restarts,
		Resync:             s.hcp.Spec.Resync,
	}
	return nil
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
