// Package network makes and keeps the network of a Cluster's nodes in an OpenStack: a
// network with a subnet and a router, or those that are there already, and a security group.
//
// All that it makes has an owner key in its description from the first moment. It looks for
// that key before it makes anything, changes and deletes nothing that has not got it, and
// goes by ids. It knows nothing of control planes and of nodes.
package network
