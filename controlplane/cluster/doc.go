// Package cluster reconciles Clusters: it gives each a management namespace and a
// HostedControlPlane in it, and sums up in a phase and conditions what has become
// of them. It also publishes which KubernetesReleases are offered.
//
// It runs nothing itself, and knows neither hosts nor etcd.
package cluster
