// Package userdata computes what a machine is told when it boots for the first time: a
// cloud-config that makes it a node of one cluster. It holds no client, no clock and no
// randomness: the same Node gives the same bytes.
//
// The machine's image has a kubelet (/usr/bin/kubelet, as kubelet.service), a container
// runtime and cloud-init. Of the cluster it knows nothing. The user data brings a bootstrap
// kubeconfig with a token that lives for minutes; there is nothing in it that is secret for
// longer, because whatever runs on a machine can usually read its user data.
package userdata
