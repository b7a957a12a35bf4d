// Package hosted makes a HostedControlPlane real: its credentials, its place in
// etcd, its three components on a host, and what every tenant needs inside it.
//
// It sees etcd only as an EtcdTenant, the host only as host.Host, and knows
// nothing of clusters, nodes or clouds.
package hosted
