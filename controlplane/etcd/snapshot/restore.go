package snapshot

import (
	"fmt"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.uber.org/zap"
)

// revisionBump is by how much the revision is raised. Watches and lists of API servers
// that were taken after the snapshot would otherwise meet revisions once more that were
// something else; so many writes after a snapshot there never are.
const revisionBump = 1_000_000_000

// Restore makes, of a snapshot that is good, the data of one member of a new cluster: in
// the folder etcd below dir, which is not there yet. members are name=URL of the peers,
// as in --initial-cluster, and token tells the new cluster from the one before: members
// that were left of that are not let in.
func Restore(path, dir, member string, members []string, token string) (Info, error) {
	info, err := Check(path)
	if err != nil {
		return Info{}, err
	}
	url := ""
	for _, m := range members {
		if name, at, ok := strings.Cut(m, "="); ok && name == member {
			url = at
		}
	}
	if url == "" {
		return Info{}, fmt.Errorf("%s is none of the members %s", member, strings.Join(members, ", "))
	}
	return info, snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, Name: member, OutputDataDir: filepath.Join(dir, "etcd"),
		PeerURLs: []string{url}, InitialCluster: strings.Join(members, ","), InitialClusterToken: token,
		InitialMmapSize: backend.InitialMmapSize, RevisionBump: revisionBump, MarkCompacted: true,
	})
}
