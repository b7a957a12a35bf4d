package etcd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/marina-dev/marina/controlplane/component"
)

// endsOf is how often a member has ended by itself.
func (r *runner) endsOf(i int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ends[i]
}

// ForceNewCluster starts a member as the only one of its cluster, with its data.
func (r *runner) ForceNewCluster(i int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.start(i, "--force-new-cluster")
}

// start starts one member; the lock is held.
func (r *runner) start(i int, more ...string) error {
	name := fmt.Sprintf("%s-%d", r.applied.Name, i)
	data := filepath.Join(r.dir, name)
	if _, err := os.Stat(data); err != nil {
		// A volume of its own.
		r.volumes++
		r.data[i] = fmt.Sprintf("volume-%d", r.volumes)
		if err := os.MkdirAll(data, 0o700); err != nil {
			return err
		}
	}
	variables := []string{
		component.VarFiles, filepath.Join(r.dir, "files"),
		component.VarData, data,
		component.VarReplica, name,
	}
	for port, at := range r.addresses.Replicas[i] {
		variables = append(variables, component.VarAddress, at.Host, component.VarHost, at.Host, component.VarPort(port), strconv.Itoa(at.Port))
	}
	replace := strings.NewReplacer(variables...)
	var args []string
	for _, arg := range slices.Concat(r.applied.Main.Args, r.applied.Main.BeginArgs, more) {
		args = append(args, replace.Replace(arg))
	}
	log, err := os.OpenFile(filepath.Join(r.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// Members are killed, and the machine is not: what is written outlives them. A disk that is
	// slow has them choose another leader, and what is asked meanwhile fails.
	member := exec.Command(etcdBinary, append(args, "--unsafe-no-fsync")...)
	member.Stdout, member.Stderr = log, log
	// A test run that is killed leaves nothing behind.
	member.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := member.Start(); err != nil {
		return err
	}
	running := &process{Cmd: member, ended: make(chan struct{})}
	r.members[i] = running
	go func() {
		defer close(running.ended)
		_ = member.Wait()
	}()
	return nil
}

// revive starts members again that have ended by themselves; the lock is held.
func (r *runner) revive() {
	for i, m := range r.members {
		if m == nil {
			continue
		}
		select {
		case <-m.ended:
			r.ends[i]++
			_ = r.start(i)
		default:
		}
	}
}

// Kill kills a member, as a machine that loses power does.
func (r *runner) Kill(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[i] != nil {
		_ = r.members[i].Process.Kill()
		<-r.members[i].ended
		r.members[i] = nil
	}
}

// Lose kills a member and takes its volume away, and Start gives it another.
func (r *runner) Lose(i int) error {
	r.Kill(i)
	return os.RemoveAll(r.folder(i))
}

// folder is where a member's data lies.
func (r *runner) folder(i int) string {
	return filepath.Join(r.dir, component.EtcdMember(cluster, i))
}

// Start starts a member that was killed.
func (r *runner) Start(i int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.start(i)
}
