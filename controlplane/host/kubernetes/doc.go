// Package kubernetes hosts Components as workloads of a Kubernetes cluster: one
// without Data as a Deployment, one with Data as a StatefulSet, with the Services,
// the PodDisruptionBudget and the NetworkPolicy that belong to it.
//
// What each object is to be is rendered by pure functions, which golden files show; the
// Host compares that with what its caches hold and writes the difference by server-side
// apply. It keeps nothing that a restart would lose. Objects that somebody deletes are
// made again, and fields that Marina sets are put back; fields that it does not set are
// nobody's business here.
//
// The package does not know what a Component is for, with one exception: a
// NetworkPolicy lets the API servers of tenants in, wherever they run.
package kubernetes
