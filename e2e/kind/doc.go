// Package kind tests Marina as it is run in production: installed by its chart into a
// management cluster, which is one of kind on this machine. "make e2e" makes that, runs
// the suite and deletes all of it again.
//
// TestTenants does most of it with three clusters. The machines of tenants are containers
// with containerd and a kubelet; they reach their API servers at NodePorts of the
// management cluster's nodes, from outside; in an upgrade they are servers of a simulated
// cloud, which this process serves. TestNodes takes a management cluster of three
// nodes and is run by itself: "CONFIG=multi make e2e".
//
// Engine and test share a machine and are root: processes of containers are found and
// killed by their ids, and networks of containers are entered.
package kind
