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
// for everything that follows.
//
// No controller may be newer than an API server that it talks to. A newer version
// therefore goes to all API servers first, and an older one to the controllers. So it is
// when they cease to behave as an older minor version. What has to wait stays at what it
// was given last, so that a replica that is not ready for a moment turns nothing round.
func (r *Reconciler) runAPIServer(ctx context.Context, s *scope) error {
	if err := r.computeInputs(ctx, s); err != nil {
		return err
	}
	if err := s.refuseReturn(); err != nil {
		return errors.Join(err, r.stay(ctx, s, components...))
	}
	if s.goesBack() {
		if err := r.lowerControllers(ctx, s); err != nil {
			return errors.Join(err, r.stay(ctx, s, component.NameAPIServer))
		}
	}
	if err := r.apply(ctx, s, s.target(component.NameAPIServer), component.NameAPIServer); err != nil {
		return errors.Join(err, r.stay(ctx, s, components...))
	}
	status, err := r.Host.Status(ctx, s.hcp.Namespace, component.NameAPIServer)
	if err != nil {
		return err
	}
	if s.changesVersion() && !s.paused() && !status.Done() {
		if err := r.stay(ctx, s, controllers...); err != nil {
			return err
		}
		return s.rolls(component.NameAPIServer, "UpdatingAPIServer", status)
	}
	if !status.Done() {
		// On its way back, or to where it is to be stopped.
		if err := userError(s.rolls(component.NameAPIServer, "UpdatingAPIServer", status)); err != nil {
			return err
		}
	}
	if status.Ready == 0 {
		return reconcile.Wait("WaitingForAPIServer", "no API server is ready yet%s", because(status.Message))
	}
	return nil
}

// controllers are the components that talk to the API servers.
var controllers = []string{component.NameControllerManager, component.NameScheduler}

// lowerControllers takes the controllers to the older version, and waits until all of
// them run it.
func (r *Reconciler) lowerControllers(ctx context.Context, s *scope) error {
	for _, name := range controllers {
		if err := r.apply(ctx, s, s.target(name), name); err != nil {
			return err
		}
	}
	for _, name := range controllers {
		status, err := r.Host.Status(ctx, s.hcp.Namespace, name)
		if err != nil {
			return err
		}
		if !status.Done() {
			return s.rolls(name, "GoingBack", status)
		}
	}
	return nil
}

// runControllers runs the controller-managers and the schedulers. Nothing waits for them
// unless a person is needed.
func (r *Reconciler) runControllers(ctx context.Context, s *scope) error {
	for _, name := range controllers {
		if err := r.apply(ctx, s, s.target(name), name); err != nil {
			return errors.Join(err, r.stay(ctx, s, controllers...))
		}
	}
	for _, name := range controllers {
		status, err := r.Host.Status(ctx, s.hcp.Namespace, name)
		if err != nil {
			return err
		}
		if status.Done() {
			continue
		}
		if err := userError(s.rolls(name, "Updating", status)); err != nil {
			return err
		}
	}
	return nil
}

// stay runs components as they were told last, if they were told anything.
func (r *Reconciler) stay(ctx context.Context, s *scope, names ...string) error {
	for _, name := range names {
		if given := s.given(name); given.version != "" {
			if err := r.apply(ctx, s, given, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply runs components at the version of a release.
func (r *Reconciler) apply(ctx context.Context, s *scope, of setting, names ...string) error {
	version, err := release.Parse(of.version)
	if err != nil {
		return reconcile.UserError("InvalidRelease", "%v", err)
	}
	in := s.inputs
	in.Kubernetes, in.Emulates = version.Kubernetes(), of.emulates
	if throughKonnectivity(s.hcp) && slices.Contains(names, component.NameAPIServer) {
		if in.Konnectivity, err = r.konnectivityVersion(ctx, of.version); err != nil {
			return err
		}
		in.KonnectivityHash = s.konnectivityHash()
	}
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

// computeInputs collects what the components depend on.
func (r *Reconciler) computeInputs(ctx context.Context, s *scope) error {
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
		TenantUID:          string(s.hcp.Spec.ClusterRef.UID),
		EtcdEndpoints:      s.etcd.Status.Endpoints,
		Network:            s.hcp.Spec.Network,
		ServiceAccountHash: hash(s.secrets[v1alpha1.SecretServiceAccount]),
		EtcdCAHash:         hash(map[string][]byte{pki.CAKey: etcd[pki.CAKey]}),
		CAHash:             hash(s.secrets[v1alpha1.SecretCA]),
		Labels:             labelsOf(s.hcp),
		Restarts:           s.hcp.Spec.Restarts,
		Resync:             s.hcp.Spec.Resync,
		Hosting:            s.hcp.Spec.HostingSpec,
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
