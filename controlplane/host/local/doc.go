// Package local is a host.Host that runs Components as processes of one machine. It
// needs no root.
//
// Each replica is its sidecars and its main process; each Component with a balanced
// address has one process more, the balancer. All are children of whoever runs the
// Host, in sessions of their own, and write to log files: when the Host dies they
// live on. A new Host on the same folder finds them in /proc, by what their
// environment says, and adopts those that run what is applied. So there is no record
// of processes that could be wrong; the only thing written down is which ports are
// whose, since those end up in kubeconfigs.
//
//	<Dir>/addresses.json, addresses.copy.json     which ports are whose
//	<Dir>/host.lock                               held by the one Host of this folder
//	<Dir>/<namespace>/<component>/balancer.log
//	<Dir>/<namespace>/<component>/<replica>/files the Mounts
//	<Dir>/<namespace>/<component>/<replica>/data  what survives restarts
//	<Dir>/<namespace>/<component>/<replica>/<process>.log
//
// How it is put together, from the outside in:
//
//   - Host holds one unit for each Component, and the addresses.
//   - A unit has one goroutine that steps: it looks at what is, asks nextActions what
//     has to be done, begins it and never waits. An event or the earliest deadline
//     makes it step again.
//   - A replica is a group of processes and the answer to its readiness probe.
//   - A group starts its processes in order and stops them in reverse.
//   - A process has a handle while it runs, whoever's child it is.
//
// The package knows no Kubernetes kinds but the Secrets and ConfigMaps that Mounts
// name, and nothing of what the processes do.
package local
