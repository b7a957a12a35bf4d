package cluster

import (
	"maps"
	"slices"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// withActions puts into the spec of a control plane what the Operation that runs asks
// for. What earlier ones have asked for stays: to take a token back would roll the
// replicas again.
func withActions(spec v1alpha1.HostedControlPlaneSpec, s situation, running *v1alpha1.Operation) v1alpha1.HostedControlPlaneSpec {
	if s.hcp == nil {
		return spec
	}
	before := s.hcp.Spec
	spec.Restarts, spec.Resync, spec.CertificatesNotBefore = before.Restarts, before.Resync, before.CertificatesNotBefore
	spec.Paused = s.stopped()
	if running == nil {
		return spec
	}
	switch running.Spec.Type {
	case v1alpha1.OperationUpgrade:
		// When everything has become the new version, or there is no way back, there is
		// nothing left to stop.
		spec.Paused = running.Spec.Cancel && s.hcp.Status.Committed == "" && slices.ContainsFunc(rolled, func(name string) bool {
			c := componentOf(s.hcp, name)
			return c.Version != running.Spec.Version || c.Emulates != ""
		})
	case v1alpha1.OperationRestart:
		spec.Restarts = restarts(s.hcp, string(running.UID), running.Spec.Cancel)
	case v1alpha1.OperationResync:
		spec.Resync = string(running.UID)
	case v1alpha1.OperationRotateCertificates:
		spec.CertificatesNotBefore = running.Status.StartedAt
	}
	return spec
}

// restarts are the tokens by component for a restart of all: the next component gets
// the token when the one before has settled, so that there is a safe point between
// any two.
func restarts(hcp *v1alpha1.HostedControlPlane, token string, cancelled bool) map[string]string {
	for _, name := range rolled {
		c := componentOf(hcp, name)
		switch given := hcp.Spec.Restarts[name] == token; {
		case given && c.Restart == token && settled(c):
			continue
		case given || cancelled || !settledAll(hcp):
			return hcp.Spec.Restarts
		}
		tokens := maps.Clone(hcp.Spec.Restarts)
		if tokens == nil {
			tokens = map[string]string{}
		}
		tokens[name] = token
		return tokens
	}
	return hcp.Spec.Restarts
}

// settledAll reports whether no replica of any component is being replaced or missing:
// to restart others then would take too much away.
func settledAll(hcp *v1alpha1.HostedControlPlane) bool {
	return !slices.ContainsFunc(rolled, func(name string) bool { return !settled(componentOf(hcp, name)) })
}
