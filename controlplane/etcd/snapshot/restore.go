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
	// PutAside makes room for it: what is there becomes etcd.old, which must not be there
	// from before. Otherwise nothing may be there.
	PutAside bool
	// Member is the name of the member, and Members are name=URL of the peers, as in
	// --initial-cluster.
	Member  string
	Members []string
	// Token tells the new cluster from the one before: members that were left of that are
	// not let in.
	Token string
}

// From makes it of a snapshot that is good. What is there stays what it is until the new
// data is complete.
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
	there, err := r.mayReplace(data)
	if err != nil {
		return Info{}, err
	}
	made := data + ".new"
	if err := os.RemoveAll(made); err != nil {
		return Info{}, err
	}
	if err := snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, Name: r.Member, OutputDataDir: made,
		PeerURLs: []string{url}, InitialCluster: strings.Join(r.Members, ","), InitialClusterToken: r.Token,
		InitialMmapSize: backend.InitialMmapSize, RevisionBump: revisionBump, MarkCompacted: true,
	}); err != nil {
		return Info{}, errors.Join(err, os.RemoveAll(made))
	}
	if there {
		if err := os.Rename(data, data+old); err != nil {
			return Info{}, err
		}
	}
	if err := os.Rename(made, data); err != nil {
		return Info{}, err
	}
	return info, syncFolder(r.Dir)
}

// old is the ending of what was put aside.
const old = ".old"

// mayReplace reports whether there is data, and refuses to touch what it was not told to:
// what was put aside may be all that is left of a tenant's data.
func (r Restoring) mayReplace(data string) (there bool, err error) {
	entries, err := os.ReadDir(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(entries) == 0:
		return false, os.Remove(data)
	case !r.PutAside:
		return false, fmt.Errorf("%s is not empty: put it aside", data)
	}
	if _, err := os.Lstat(data + old); !errors.Is(err, fs.ErrNotExist) {
		return false, errors.Join(err, fmt.Errorf("%s is there from before: move it away, or delete it if nobody needs it any more", data+old))
	}
	return true, nil
}
