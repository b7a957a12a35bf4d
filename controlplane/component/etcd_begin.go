package component

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// etcdBeginFlags are what a member looks at when it has no data, and never after.
//
// A member that has lost its data must not begin anew as who it was: it has promised
// the others to keep what it no longer has, and would vote against it. So once the
// cluster is formed, a member without data gives itself two URLs for its one address.
// etcd lets it join only if the others know it by exactly these, which they do when
// it has been added again, under both (EtcdJoiningURLs). The others know a member
// that nobody has replaced by the first alone, and etcd refuses to start.
func etcdBeginFlags(in EtcdInputs) map[string]string {
	var members []string
	for i := range in.Addresses.Replicas {
		if slices.Contains(in.Absent, i) {
			// The list has to be that of the others.
			continue
		}
		members = append(members, EtcdMember(in.Cluster, i)+"="+EtcdPeerURL(in.Addresses, i))
	}
	state := "new"
	if in.Formed {
		state = "existing"
		members = append(members, VarReplica+"="+joiningURL(VarHost, VarPort(EtcdPortPeer)))
	}
	return map[string]string{
		"initial-cluster":             strings.Join(members, ","),
		"initial-cluster-token":       in.UID,
		"initial-cluster-state":       state,
		"initial-advertise-peer-urls": etcdURL(VarHost, EtcdPortPeer),
	}
}

// EtcdMember is the name of a member.
func EtcdMember(cluster string, ordinal int) string {
	return fmt.Sprintf("%s-%d", EtcdName(cluster), ordinal)
}

// EtcdPeerURL is where the others find a member.
func EtcdPeerURL(addresses Addresses, ordinal int) string {
	return addresses.Replicas[ordinal][EtcdPortPeer].URL()
}

// EtcdJoiningURLs are the peer URLs of a member that may begin without data.
func EtcdJoiningURLs(addresses Addresses, ordinal int) []string {
	at := addresses.Replicas[ordinal][EtcdPortPeer]
	return []string{at.URL(), joiningURL(bracketed(at.Host), strconv.Itoa(at.Port))}
}

// joiningURL is a member's address once more, written differently: etcd refuses the
// same URL twice.
func joiningURL(host, port string) string { return "https://" + host + ":0" + port }

// bracketed is a host as it stands in a URL.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// etcdStorage is the size of a member's volume.
func etcdStorage(spec v1alpha1.EtcdClusterSpec) resource.Quantity {
	if spec.StorageSize != nil {
		return *spec.StorageSize
	}
	return *resource.NewQuantity(2*spec.StorageQuota.Value()+2<<30, resource.BinarySI)
}
