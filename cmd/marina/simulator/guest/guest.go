// Package guest is what the drivers of the simulated cloud have in common of a server as
// seen from inside: what its image and its user data say, and its console.
package guest

// PropertyKubernetes is the property of an image that tells which kubelet is in it, as
// v1.37.1.
const PropertyKubernetes = "kubernetes_version"
