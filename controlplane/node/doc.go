// Package node is about the nodes of Machines, in tenants: it tells what becomes of them in
// status.node of the Machine, keeps the labels and taints of its spec on them, and empties
// and removes them when the Machine is deleted. It knows tenants, and neither clouds nor,
// but for whether one makes another node, pools: whoever makes servers waits for status.node.drained before it deletes one.
//
// # Asking tenants
//
// A pass is over all Machines of a management namespace, for which it asks the tenant for its
// Nodes once. There is no informer in a tenant: with many tenants that would cost more than to
// ask, every 30 s, and every 2 s while something is expected to happen. What a tenant answers
// is its administrator's, so that what is taken from it into status has a limit; and a tenant
// that does not answer changes nothing that is known of its nodes.
//
// # Labels and taints
//
// Which of those on a Node come from the Machine is remembered in the Machine, before the
// Node is written, and not in an annotation of the Node: with a node's own credentials that
// could be changed, and taints and labels be taken off by it that a node may not change itself.
// A kubelet registers a Node that is not there with those of the day on which its server was made:
// with a Node of another UID it begins with what status.userDataLabels and userDataTaints say.
//
// # Draining
//
// A drain has a begin, which is written down before the first pod is evicted. From then on
// PodDisruptionBudgets are respected for spec.drainTimeoutSeconds; then the pods are deleted,
// and are waited for no longer than 30 s. Nobody waits where waiting saves nothing: a node
// that never was, one whose pods have no other node to go to, one of a cluster that is itself
// deleted. A tenant that cannot be asked holds up a deletion for no longer than a drain may take.
//
// # Turns
//
// Where no node takes pods but such as are to leave, and one of them comes back, is replaced, or
// another is being made, they leave one after the other, each while the next one takes its pods:
// who has begun goes on, then the lowest name goes. So no two wait for each other, and who waits
// says so; that ends after the most that a drain takes and the drain time-out of who waits.
//
// # Rebuilding
//
// A node whose server is made anew in place is emptied like one that is deleted, and its Node
// stays: with it stays what users have put on it. It takes pods again when it has come back
// with the version that it is to have, unless somebody else had made it unschedulable.
//
// Every decision is made by what is observed in the pass, so that one that is cut short
// anywhere is done again by the next one. Drained is the only one that stays, since the server
// may have been deleted because of it.
package node
