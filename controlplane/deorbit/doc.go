// Package deorbit deletes in a tenant that is going what its controllers have made in a cloud:
// load balancers and volumes. It does so while there are nodes, on which these controllers run,
// and an API server by which they work: what they have made, only they take away. It knows
// tenants, and neither clouds nor Clusters: how long all of this is waited for, others say.
//
// # What goes
//
//   - Services of the type LoadBalancer
//   - the claims of volumes that a CSI driver has made for them and that go with them, since
//     their reclaim policy is Delete; and claims that have no volume yet
//   - the pods that use these claims, since a claim stays while a pod has it. They have the time
//     to end that they ask for. PodDisruptionBudgets do not count: they are for clusters that
//     stay
//
// Volumes with another policy, and those that somebody made by hand, stay as they are, with their
// claims and pods. So do snapshots.
//
// # What keeps it gone
//
// A StatefulSet makes its claims anew, and a tool that deploys its Services. Before the first
// deletion the tenant gets a policy by which nobody may: that spares the deletion of whole
// namespaces, in which drivers may run, and of workloads that are in nobody's way.
//
// Every pass observes anew, and deletes what has not been told to go.
package deorbit
