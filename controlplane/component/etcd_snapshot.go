package component

import (
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// EtcdSnapshotPort tells over plain HTTP what has become of a snapshot.
const EtcdSnapshotPort = "http"

// EtcdSnapshotsKept is how many snapshots of an EtcdCluster are kept.
const EtcdSnapshotsKept = 2

// EtcdSnapshotName is the name of the Component that takes snapshots of an EtcdCluster.
// It begins with another word than EtcdName, so that no EtcdCluster can be called so that
// one is the other's.
func EtcdSnapshotName(cluster string) string { return "snapshot-" + cluster }

// EtcdSnapshotPorts are what has to be reserved for it.
func EtcdSnapshotPorts() []Port {
	return []Port{{Name: EtcdSnapshotPort, Number: 8080, Clients: ClientsManager}}
}

// EtcdSnapshotInputs is all that a snapshot of an EtcdCluster depends on.
type EtcdSnapshotInputs struct {
	// Cluster is the EtcdCluster's name, and Snapshot that of the snapshot. Without one
	// nothing runs, and what was taken stays.
	Cluster, Snapshot string
	// Version is Marina's own.
	Version string
	Spec    v1alpha1.EtcdClusterSpec
	// Endpoints are the members' client URLs.
	Endpoints []string
	Labels    map[string]string
}

// EtcdSnapshot takes a snapshot and keeps it on a volume of its own: what the members
// lose, it has not. It is ready when the snapshot has been checked.
func EtcdSnapshot(in EtcdSnapshotInputs) Component {
	replicas := 1
	if in.Snapshot == "" {
		replicas = 0
	}
	c := Component{
		Namespace: v1alpha1.SystemNamespace,
		Name:      EtcdSnapshotName(in.Cluster),
		Labels:    in.Labels,
		Replicas:  replicas,
		Start:     StartParallel,
		Data:      true,
		// A store is never larger than its quota.
		DataSize:     *resource.NewQuantity(EtcdSnapshotsKept*in.Spec.StorageQuota.Value()+1<<30, resource.BinarySI),
		StorageClass: in.Spec.StorageClass,
		Hosting:      v1alpha1.HostingSpec{WorkloadSpec: in.Spec.WorkloadSpec},
		Ports:        EtcdSnapshotPorts(),
		Main: Process{
			Name: "snapshot", Program: "marina", Version: in.Version,
			Args: append([]string{"etcd", "snapshot"}, flags(map[string]string{
				"endpoints": strings.Join(in.Endpoints, ","),
				"cert":      file(pathEtcdRoot, "tls.crt"),
				"key":       file(pathEtcdRoot, "tls.key"),
				"cacert":    file(pathEtcdRoot, "ca.crt"),
				"dir":       VarData,
				"name":      in.Snapshot,
				"keep":      strconv.Itoa(EtcdSnapshotsKept),
				"listen":    VarAddress + ":" + VarPort(EtcdSnapshotPort),
			})...),
			// It streams, and reads the file once more through the page cache.
			Resources: Resources{RequestMilliCPU: 100, RequestMemory: 128 << 20, LimitMemory: 512 << 20},
		},
		Mounts:    []Mount{{Path: pathEtcdRoot, Secret: EtcdSecret(in.Cluster, EtcdSecretRoot), Keys: []string{"tls.crt", "tls.key", "ca.crt"}}},
		Readiness: Probe{Port: EtcdSnapshotPort, Path: "/readyz", Plain: true},
		Grace:     10 * time.Second,
	}
	return c
}

// pathEtcdRoot is the folder of the administrator's certificate, relative to VarFiles.
const pathEtcdRoot = "root"
