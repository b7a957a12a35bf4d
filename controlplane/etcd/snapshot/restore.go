package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// Restoring is the data of one member of a new cluster.
type Restoring struct {
	// Dir is the member's folder, in which its data is in the folder etcd.
	Dir string
	// PutAside makes room for it: what is there becomes etcd.old. Otherwise nothing may be
	// there.
	PutAside bool
	// Member is the name of the member, and Members are name=URL of the peers, as in
	// --initial-cluster.
	Member  string
	Members []string
	// Token tells the new cluster from the one before: members that were left of that are
	// not let in.
	Token string
}

// From makes it of a snapshot that is good.
func (r Restoring) From(path string) (Info, error) {
	info, err := Check(path)
	if err != nil {
		return Info{}, err
	}
	url := ""
	for _, m := range r.Members {
		if name, at, ok := strings.Cut(m, "="); ok && name == r.Member {
			url = at
		}
	}
	if url == "" {
		return Info{}, fmt.Errorf("%s is none of the members %s", r.Member, strings.Join(r.Members, ", "))
	}
	data := filepath.Join(r.Dir, "etcd")
	if r.PutAside {
		if err := putAside(data); err != nil {
			return Info{}, err
		}
	}
	return info, snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, Name: r.Member, OutputDataDir: data,
		PeerURLs: []string{url}, InitialCluster: strings.Join(r.Members, ","), InitialClusterToken: r.Token,
		InitialMmapSize: backend.InitialMmapSize, RevisionBump: revisionBump, MarkCompacted: true,
	})
}

// putAside makes room, in the place of what was put aside before.
func putAside(data string) error {
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	old := data + ".old"
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	return os.Rename(data, old)
}
