// Package kind tests Marina as it is run in production: installed by its chart into a
// management cluster, which is one of kind on this machine. "make e2e" makes that, runs
// the suite and deletes all of it again.
//
// The machines of tenants are containers with containerd and a kubelet. They reach
// their API servers at NodePorts of the management cluster's nodes, from outside.
package kind
