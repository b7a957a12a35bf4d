// Package etcd runs shared etcd clusters and gives each tenant its place on one.
//
// An EtcdCluster is three members that trust certificates of one CA and have
// authentication switched on. A tenant is a user, a role and a key prefix, all
// named by its UID: user and role are made here, and the client certificate with
// the UID as its common name is the only way to be that user. Nobody has a
// password.
//
// Changing users and roles makes every member compute all permissions anew and
// refuses what is under way, so that nothing here writes what is already so.
//
// The package knows nothing of control planes: they see an EtcdTenant, and the
// Secret that it fills.
package etcd
