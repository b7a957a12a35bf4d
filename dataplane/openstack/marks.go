package openstack

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"k8s.io/apimachinery/pkg/types"
)

// Mark is what an object in a cloud says of whose it is.
type Mark struct {
	// Cluster is the UID of the Cluster that it was made for.
	Cluster types.UID
	// Owner is the UID of the Machine or, of a server group, of the NodePool.
	Owner types.UID
}

// The metadata of a server that say whose it is, the name of its pool for people, and the last
// rebuild that was asked for. Nova takes
// letters, digits and "-_:. " in their keys and nothing else: no slash as labels have it.
const (
	MetadataCluster = "marina.dev:cluster-uid"
	MetadataMachine = "marina.dev:machine-uid"
	MetadataPool    = "marina.dev:pool"
	MetadataRebuild = "marina.dev:rebuild"
)

// ServerMark is what the metadata of a server say. It is false where one of the two is
// missing: then the server is not ours.
func ServerMark(metadata map[string]string) (Mark, bool) {
	m := Mark{Cluster: types.UID(metadata[MetadataCluster]), Owner: types.UID(metadata[MetadataMachine])}
	return m, m.Cluster != "" && m.Owner != ""
}

// uid matches one.
const uid = "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

// Leaving reports whether a server is being deleted.
func Leaving(s *servers.Server) bool {
	return s.TaskState == "deleting" || s.TaskState == "soft-deleting" || s.Status == "DELETED" || s.Status == "SOFT_DELETED"
}

// roleFloatingIP is what the floating IP of a Machine is; its UID follows.
const roleFloatingIP = "node machine-uid="

// FloatingIPKey is the owner key of the floating IP of a Machine.
func FloatingIPKey(m Mark) string { return OwnerKey(m.Cluster, roleFloatingIP+string(m.Owner)) }

var floatingIPKey = regexp.MustCompile("^" + OwnerKey(uid, roleFloatingIP+uid) + "$")

// FloatingIPMark is what the description of a floating IP says; false if it is no key.
func FloatingIPMark(description string) (Mark, bool) {
	found := floatingIPKey.FindStringSubmatch(description)
	if found == nil {
		return Mark{}, false
	}
	return Mark{Cluster: types.UID(found[1]), Owner: types.UID(found[2])}, true
}

// ServerGroupName is the name of the server group of a NodePool. A server group has nothing
// but a name to say whose it is, which nobody can change.
func ServerGroupName(pool string, m Mark) string {
	return fmt.Sprintf("%s-%s", serverGroup(pool, m.Owner), m.Cluster)
}

func serverGroup(pool string, owner types.UID) string {
	return fmt.Sprintf("marina-%s-%s", pool, owner)
}

// IsServerGroup reports whether a server group is that of a NodePool, of whatever Cluster.
func IsServerGroup(name, pool string, owner types.UID) bool {
	rest, found := strings.CutPrefix(name, serverGroup(pool, owner))
	return found && (rest == "" || strings.HasPrefix(rest, "-"))
}

var serverGroupName = regexp.MustCompile("^marina-.+-" + uid + "-" + uid + "$")

// ServerGroupMark is what the name of a server group says; false if it is not of ours.
func ServerGroupMark(name string) (Mark, bool) {
	found := serverGroupName.FindStringSubmatch(name)
	if found == nil {
		return Mark{}, false
	}
	return Mark{Cluster: types.UID(found[2]), Owner: types.UID(found[1])}, true
}
