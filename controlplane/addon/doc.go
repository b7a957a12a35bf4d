// Package addon computes what Marina applies inside a tenant: what a joining node
// reads, the rights that nodes, the API server and administrators need, and what runs
// on nodes: CoreDNS, kube-proxy and the agents of Konnectivity.
//
// It is pure: no client, no clock, no randomness. What is of the kind Reconcile is
// Marina's own, to be put back when it was changed. It must be written by server-side
// apply and in no other way, because others write into the same objects: the
// controller-manager signs cluster-info in place (keys jws-kubeconfig-*), and an update
// would take away the signatures with which nodes are joining at that moment. What is of
// the kind EnsureExists is created when it is missing and never written again.
//
// Names that begin with kubeadm: are those that kubeadm gives the same thing, so that
// "kubeadm join" finds what it looks for and a person what the documentation of
// Kubernetes describes. Where kubeadm binds its own group of bootstrap tokens, Marina
// binds v1alpha1.GroupBootstrappers and no other: a token that "kubeadm token create"
// makes without --groups can do nothing.
package addon
