package etcd

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// LabelEtcdCluster is on every Secret of an EtcdCluster.
const LabelEtcdCluster = "marina.dev/etcd-cluster"

// rootUser is the only administrator; the name is etcd's.
const rootUser = "root"

// clusterLabels are those of everything that belongs to an EtcdCluster.
func clusterLabels(cluster string) map[string]string {
	return map[string]string{
		v1alpha1.LabelShard: v1alpha1.DefaultShard,
		LabelEtcdCluster:    cluster,
	}
}

// secretKey is where a Secret of an EtcdCluster lies.
func secretKey(cluster, what string) types.NamespacedName {
	return types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: component.EtcdSecret(cluster, what)}
}

// clusterOf is the EtcdCluster that a Component belongs to, if it is one's.
func clusterOf(namespace, name string) (cluster string, ok bool) {
	if cluster, ok = strings.CutPrefix(name, component.EtcdName("")); !ok {
		cluster, ok = strings.CutPrefix(name, component.EtcdSnapshotName(""))
	}
	return cluster, ok && namespace == v1alpha1.SystemNamespace && cluster != ""
}

// Prefix is what all keys of a tenant begin with.
func Prefix(uid string) string { return "/" + uid + "/" }

// rangeEnd is the first key after those that begin with Prefix: '0' follows '/'.
// With it a role covers the prefix and not one key more, whatever the neighbours
// are called.
func rangeEnd(uid string) string { return "/" + uid + "0" }

var uidPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// checkUID refuses what must not become a user of etcd. The CRD has the pattern as
// well; but a certificate for "root" would be a key to all tenants, so that this
// does not rely on it.
func checkUID(uid string) error {
	if uid == rootUser || !uidPattern.MatchString(uid) {
		return reconcile.UserError("InvalidTenantUID", "%q cannot be the UID of a tenant: it must be that of its Cluster", uid)
	}
	return nil
}
