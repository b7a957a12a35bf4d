package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// partial is the ending of what is being written.
	partial = ".part"
	// stalled is how long a member may send nothing before it is given up.
	stalled = time.Minute
	// askTimeout is for asking a member how it is.
	askTimeout = 5 * time.Second
)

// Taking is a snapshot that is to be in a folder.
type Taking struct {
	// Dir is the folder, and Name that of the snapshot in it, without an ending.
	Dir, Name string
	// Keep is how many snapshots there are to be at most, this one included.
	Keep int
	// Written counts the bytes of the attempt that runs, for who wants to tell.
	Written atomic.Int64
}

// Path is where the snapshot lies.
func (t *Taking) Path() string { return filepath.Join(t.Dir, t.Name+ending) }

// Take takes the snapshot, unless there is a good one of that name. Old ones go first,
// so that the new one finds room; the newest of them stays in any case, unless Keep is
// one. What is there under its name has been checked, and is on the disk.
func (t *Taking) Take(ctx context.Context, members clientv3.Config) (Info, error) {
	t.Written.Store(0)
	if info, err := Check(t.Path()); err == nil || !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			return info, nil
		}
		if err := os.Remove(t.Path()); err != nil {
			return Info{}, err
		}
	}
	if err := t.makeRoom(); err != nil {
		return Info{}, err
	}
	var err error
	if members.Endpoints, err = choose(ctx, members); err != nil {
		return Info{}, err
	}
	path := filepath.Join(t.Dir, t.Name+partial)
	if err := t.write(ctx, members, path); err != nil {
		_ = os.Remove(path)
		if errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("the volume is full: make it larger, or take old snapshots away: %w", err)
		}
		return Info{}, err
	}
	info, err := Check(path)
	if err != nil {
		_ = os.Remove(path)
		return Info{}, err
	}
	if err := os.Rename(path, t.Path()); err != nil {
		return Info{}, err
	}
	info.Name = t.Name
	return info, syncFolder(t.Dir)
}

// makeRoom removes what was not completed, and the oldest of what was.
func (t *Taking) makeRoom() error {
	entries, err := os.ReadDir(t.Dir)
	if err != nil {
		return err
	}
	type file struct {
		path string
		time time.Time
	}
	var complete []file
	for _, entry := range entries {
		path := filepath.Join(t.Dir, entry.Name())
		switch filepath.Ext(path) {
		case partial:
			if err := os.Remove(path); err != nil {
				return err
			}
		case ending:
			info, err := entry.Info()
			if err != nil {
				return err
			}
			complete = append(complete, file{path, info.ModTime()})
		}
	}
	slices.SortFunc(complete, func(a, b file) int { return cmp.Or(b.time.Compare(a.time), cmp.Compare(a.path, b.path)) })
	for i := max(t.Keep-1, 0); i < len(complete); i++ {
		if err := os.Remove(complete[i].path); err != nil {
			return err
		}
	}
	return nil
}

// choose finds a member that answers and has a leader; one that does not lead has less
// to do.
func choose(ctx context.Context, members clientv3.Config) ([]string, error) {
	client, err := clientv3.New(members)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	leader, errs := "", []error{}
	for _, endpoint := range client.Endpoints() {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		status, err := client.Status(ctx, endpoint)
		cancel()
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", endpoint, err))
		case status.Leader == 0 || status.IsLearner:
			errs = append(errs, fmt.Errorf("%s: it has no leader or no vote", endpoint))
		case status.Leader == status.Header.MemberId:
			leader = endpoint
		default:
			return []string{endpoint}, nil
		}
	}
	if leader == "" {
		return nil, fmt.Errorf("no member can be asked: %w", errors.Join(errs...))
	}
	return []string{leader}, nil
}

// write streams the snapshot of the one member that is given into a file.
func (t *Taking) write(ctx context.Context, member clientv3.Config, path string) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(stalled, func() { cancel(fmt.Errorf("%s has sent nothing for %s", member.Endpoints[0], stalled)) })
	defer watchdog.Stop()

	client, err := clientv3.New(member)
	if err != nil {
		return err
	}
	defer client.Close()
	answer, err := client.SnapshotWithVersion(ctx)
	if err != nil {
		return because(ctx, err)
	}
	defer answer.Snapshot.Close()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	progress := writer(func(p []byte) (int, error) {
		watchdog.Reset(stalled)
		n, err := file.Write(p)
		t.Written.Add(int64(n))
		return n, err
	})
	if _, err := io.Copy(progress, answer.Snapshot); err != nil {
		return because(ctx, err)
	}
	return file.Sync()
}

// because is why something has failed: why it was ended, if it was.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// writer is an io.Writer.
type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// syncFolder makes a file's new name survive a loss of power.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
