// Package bootstrap makes what one machine needs to become one node, when a NodeBootstrap
// asks for it: a bootstrap token that is bound to the node's name, the address and CA of the
// cluster, and the configuration of the kubelet. Whoever boots machines needs no access to
// tenants, and this package none to machines.
//
// The token lets a node in from when the NodeBootstrap is Ready until it expires or the
// NodeBootstrap is deleted.
package bootstrap
