// Package join lets machines become nodes of a tenant, and nobody else: it makes
// bootstrap tokens, and it approves or denies the requests for certificates with which
// kubelets join, renew and serve. It stands in for the approver of the
// controller-manager, which lets every holder of any token become any node, and
// approves no serving certificate at all.
//
// A token comes in two kinds. One that is bound to a node name (annotation
// v1alpha1.AnnotationNodeName) can make that node and no other, as often as need be:
// our own machines get such a one each. One that is not bound is for nodes that people
// bring: until it expires it can make any number of nodes, under any name that no Node
// has, that no other token is bound to and that no other machine has just got. It can
// never take over a node that exists.
//
// Decide holds the rules and nothing else; Approver gathers the facts and writes the
// answers. One Approver is for one tenant, and costs one watch.
package join
