package component

import (
	"fmt"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	// PortKonnectivity is where agents connect to the konnectivity server beside each
	// API server.
	PortKonnectivity = "konnectivity"
	// NameKonnectivityServer is the name of that server, as a process and as a program.
	NameKonnectivityServer = "konnectivity-server"

	// portHealth has health and metrics; portAdmin cannot be switched off.
	portHealth = "proxy-health"
	portAdmin  = "proxy-admin"

	pathKonnectivity = "konnectivity"
	// AddressAnyAPIServer is the address at which a konnectivity server asks an API server
	// about agents' tokens, whether that is ready or not.
	//
	// One for those that are ready is a deadlock: an API server may have to call a webhook
	// to become ready, for which it waits for an agent, which waits for somebody to check
	// its token. That of the API server beside it is late: agents would come when it is
	// ready and serves already, and calls to webhooks fail until then.
	AddressAnyAPIServer = "kube-apiserver-any"
	// konnectivitySocket is in VarRun.
	konnectivitySocket = "konnectivity.sock"
)

// EgressSelector is the API server's EgressSelectorConfiguration: what goes to the
// tenant's nodes, pods and services goes through the konnectivity server. The name of
// the socket is relative to VarRun, since the file is the same for all replicas.
const EgressSelector = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
  - name: cluster
    connection:
      proxyProtocol: GRPC
      transport:
        uds:
          udsName: ` + konnectivitySocket + `
`

func (in HostedInputs) throughKonnectivity() bool {
	return in.Hosting.NodeAccess == v1alpha1.NodeAccessKonnectivity
}

// konnectivityFlags are those of the API server.
func (in HostedInputs) konnectivityFlags() map[string]string {
	if !in.throughKonnectivity() {
		return nil
	}
	return map[string]string{
		"egress-selector-config-file": file(pathKonnectivity, v1alpha1.KeyEgressSelector),
	}
}

// awaitAgents has an API server that starts wait for an agent, where the tenant has any,
// if its image knows how to (hack/images/launcher). One that starts without tells all
// others that aggregated APIs are not available (APIService, FailedDiscoveryCheck), and
// fails calls to webhooks once it is ready. Agents look for new servers every 3 s at most
// (package addon), and meet one of four in each attempt.
func (in HostedInputs) awaitAgents() map[string]string {
	if !in.throughKonnectivity() {
		return nil
	}
	return map[string]string{
		"MARINA_AWAIT_IF":    file(pathKonnectivity, v1alpha1.KeyAgents),
		"MARINA_AWAIT_URL":   "http://" + VarAddress + ":" + VarPort(portHealth) + "/readyz",
		"MARINA_AWAIT_LIMIT": "10s",
	}
}

// konnectivityMounts are of both processes, which read all of it only when they start.
func (in HostedInputs) konnectivityMounts() []Mount {
	return []Mount{
		{Path: pathKonnectivity, ConfigMap: v1alpha1.ConfigMapKonnectivity, Hash: in.KonnectivityHash},
		{Path: pathKonnectivity, Secret: v1alpha1.SecretKonnectivityServer, Keys: []string{"ca.crt", "tls.crt", "tls.key"}, Hash: in.KonnectivityHash},
	}
}

// konnectivityServer starts before its API server and stops after it, so that what is
// under way through it can end. Agents need not have come for the API server to serve:
// a new tenant has no nodes.
func (in HostedInputs) konnectivityServer() Process {
	return Process{
		Name: NameKonnectivityServer, Program: NameKonnectivityServer, Version: in.Konnectivity,
		Env: thrifty,
		// Each connection to a node costs some.
		Resources: sized(in.Hosting.Sizes.Konnectivity, Resources{RequestMilliCPU: 10, RequestMemory: 32 << 20, LimitMemory: 512 << 20}),
		Args: flags(map[string]string{
			"mode": "grpc",
			// What an earlier process left is not the new one's.
			"uds-name":                 VarRun + "/" + konnectivitySocket,
			"delete-existing-uds-file": "true",
			"server-port":              "0",

			"agent-bind-address":  VarAddress,
			"agent-port":          VarPort(PortKonnectivity),
			"cluster-cert":        file(pathKonnectivity, "tls.crt"),
			"cluster-key":         file(pathKonnectivity, "tls.key"),
			"tls-min-version":     "VersionTLS12",
			"health-bind-address": VarAddress,
			"health-port":         VarPort(portHealth),
			"admin-bind-address":  "127.0.0.1",
			"admin-port":          VarPort(portAdmin),

			// Agents look for servers until they have this many; see package addon.
			"server-count":            fmt.Sprint(HostedReplicas),
			"agent-namespace":         "kube-system",
			"agent-service-account":   v1alpha1.KonnectivityAgent,
			"authentication-audience": v1alpha1.KonnectivityAudience,
			"kubeconfig":              file(pathKonnectivity, v1alpha1.KeyKubeconfig),
			// After a restart all agents come at once.
			"kubeconfig-qps":   "50",
			"kubeconfig-burst": "100",

			// An agent whose node is gone closes nothing: it is found by pings, and what was
			// sent to it meanwhile fails after a while that is longer than the five seconds
			// in which a living one dials.
			"keepalive-time":       "10s",
			"backend-dial-timeout": "8s",
			// It begins with 4, a line for each connection.
			"v": "1",
		}),
	}
}
