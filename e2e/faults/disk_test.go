package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// One Marina for all: each fault must leave it as good as the next one expects.
func TestFaultsOfTheDisk(t *testing.T) {
	s := begin(t)
	for _, fault := range []struct {
		name string
		run  func(*scene)
	}{
		{"files of a tenant are read-only", (*scene).filesAreReadOnly},
		{"a member of etcd has lost its data", (*scene).memberHasLostItsData},
		{"the disk of tenants is full", (*scene).tenantsDiskIsFull},
		{"the disk of the management etcd is full", (*scene).managementDiskIsFull},
		{"the data directory is read-only at the start", (*scene).dataDirectoryIsReadOnly},
		{"a start is interrupted while tenants live on", (*scene).startIsInterrupted},
		{"the address book is damaged", (*scene).addressBookIsDamaged},
	} {
		ok := t.Run(fault.name, func(t *testing.T) {
			s.t = t
			fault.run(s)
			s.awaitWell()
			check(t, s.write(1))
			s.assertKept()
		})
		if s.t = t; !ok {
			t.Fatal("the others would find what this one has left")
		}
	}
}

func (s *scene) filesAreReadOnly() {
	files := filepath.Join(s.tenants, s.namespace, "kube-apiserver", "kube-apiserver-1", "files")
	before := s.TenantProcesses()
	undo := readOnly(s.t, files)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"access":{"certSANs":["api.steady.example"]}}}`))
	check(s.t, s.Client.Patch(s.t.Context(), harness.NewCluster(steady, ""), patch))
	check(s.t, harness.Await(s.t.Context(), 30*time.Second, func(ctx context.Context) error {
		c, err := harness.GetCluster(ctx, s.Marina, steady)
		if err != nil {
			return err
		}
		for _, condition := range c.Status.Conditions {
			if condition.Status == metav1.ConditionFalse && strings.Contains(condition.Message, files) &&
				strings.Contains(condition.Message, "tls.crt: read-only file system") {
				return nil
			}
		}
		return fmt.Errorf("no condition says which file cannot be written: %v", c.Status.Conditions)
	}))
	check(s.t, s.write(1))

	undo()
	check(s.t, harness.Await(s.t.Context(), 10*time.Second, func(context.Context) error {
		other := strings.Replace(files, "kube-apiserver-1", "kube-apiserver-0", 1)
		return sameFiles(files, other)
	}))
	s.assertSame(before)
}

// sameFiles tells which file of one folder another one has not.
func sameFiles(a, b string) error {
	return filepath.WalkDir(a, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		one, err := os.ReadFile(path)
		other, otherErr := os.ReadFile(b + strings.TrimPrefix(path, a))
		if err := errors.Join(err, otherErr); err != nil {
			return err
		}
		if !bytes.Equal(one, other) {
			return fmt.Errorf("%s is not the same in %s", path, b)
		}
		return nil
	})
}

func (s *scene) memberHasLostItsData() {
	victim := harness.EtcdMembers(s.t, s.Marina)[1]
	database := s.find(v1alpha1.SystemNamespace, "etcd-default", "etcd-default-1", "data", "*", "member", "snap", "db")
	harness.Hold(s.t, victim.PID)
	data, err := os.ReadFile(database)
	check(s.t, err)
	check(s.t, os.Truncate(database, 3*4096))
	harness.Kill(s.t, victim.PID)

	s.awaitEtcd(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "2 of 3 members are ready", "etcd-default-1: ", "SIGBUS", "shorter than it should be")
	s.awaitEtcd(v1alpha1.ConditionReady, metav1.ConditionTrue)
	check(s.t, s.write(3))

	// In one step: it is being started again and again.
	check(s.t, os.WriteFile(database+".restored", data, 0o600))
	check(s.t, os.Rename(database+".restored", database))
}

// find is the one file below the tenants' folder that a pattern matches.
func (s *scene) find(pattern ...string) string {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(append([]string{s.tenants}, pattern...)...))
	check(s.t, err)
	if len(found) != 1 {
		s.t.Fatalf("%v matches %v, want one file", pattern, found)
	}
	return found[0]
}

func (s *scene) tenantsDiskIsFull() {
	full := fill(s.t, s.tenants)
	refused := refusal(full, s.write)
	if refused == nil {
		s.t.Fatal("a tenant took 1,000 writes on a disk that is full")
	}
	s.t.Logf("a client is told: %v", refused)
	stop := s.goOnWriting()
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(ctx context.Context) error {
		full.top()
		etcd := &v1alpha1.EtcdCluster{}
		err := s.Client.Get(ctx, client.ObjectKey{Name: "default"}, etcd)
		return errors.Join(err,
			says(etcd.Status.Conditions, v1alpha1.ConditionAvailable, metav1.ConditionFalse,
				"the disk of "+s.tenants+" is nearly full: ", " of 640 MiB are free: make room"),
			prints(s.Marina, "The disk is nearly full", "folder="+s.tenants))
	}))
	stop()

	full.empty()
	check(s.t, harness.Await(s.t.Context(), 3*time.Minute, func(context.Context) error {
		return errors.Join(s.write(1), prints(s.Marina, "There is room on the disk again"))
	}))
}

// goOnWriting writes until stop is called, whether it is refused or not. A member that
// ended may have been started anew with the room that its end gave back, and would be
// ready for as long as nobody writes.
func (s *scene) goOnWriting() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = s.write(1)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	s.t.Cleanup(stop)
	return stop
}

// refusal writes to a full disk until it is refused.
func refusal(full *filler, write func(int) error) error {
	for range 1000 {
		full.top()
		if err := write(1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scene) managementDiskIsFull() {
	before := s.TenantProcesses()
	full := fill(s.t, s.management)
	if refusal(full, s.writeHere) == nil {
		s.t.Fatal("the management API took 1,000 writes on a disk that is full")
	}
	code, err := s.ExitCode(s.t.Context())
	check(s.t, err)
	check(s.t, prints(s.Marina, "is full", "no space left on device", "What to do: make room", "the clusters live on"))
	if code != 1 || strings.Contains(s.Output(), "goroutine ") {
		s.t.Errorf("exit code %d, want 1 and no trace: %s", code, s.Output())
	}
	check(s.t, s.write(3))

	full.empty()
	check(s.t, s.Start(s.t.Context()))
	s.assertSame(before)
}

func (s *scene) dataDirectoryIsReadOnly() {
	before := s.TenantProcesses()
	check(s.t, s.Kill())
	undo := readOnly(s.t, s.Dir)
	check(s.t, s.Begin())
	code, err := s.ExitCode(s.t.Context())
	check(s.t, err)
	check(s.t, prints(s.Marina, "the data directory "+s.Dir+" is on a file system that is mounted read-only", "What to do: "))
	if code != 1 {
		s.t.Errorf("exit code %d, want 1", code)
	}
	s.assertSame(before)
	check(s.t, s.write(1))

	undo()
	check(s.t, s.Start(s.t.Context()))
	s.assertSame(before)
}

func (s *scene) startIsInterrupted() {
	before := s.TenantProcesses()
	check(s.t, s.Kill())
	left := s.Processes()["management/kube-apiserver/0/kube-apiserver"]
	check(s.t, s.Begin())
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(context.Context) error {
		if now := s.Processes()["management/kube-apiserver/0/kube-apiserver"]; now == 0 || now == left {
			return fmt.Errorf("the API server is process %d, as before", now)
		}
		return nil
	}))
	check(s.t, s.Signal(syscall.SIGINT))
	code, err := s.ExitCode(s.t.Context())
	check(s.t, err)
	if code != 130 {
		s.t.Errorf("exit code %d, want 130: %s", code, s.Output())
	}
	s.assertSame(before)
	if all := s.Processes(); len(all) != len(before) {
		s.t.Errorf("processes of the management plane are left: %v", all)
	}
	check(s.t, s.write(1))
	check(s.t, s.Start(s.t.Context()))
	s.assertSame(before)
}

func (s *scene) addressBookIsDamaged() {
	// Not adopted but started anew: only the book knows the addresses then.
	check(s.t, s.Stop())
	book := filepath.Join(s.tenants, "addresses.json")
	info, err := os.Stat(book)
	check(s.t, err)
	check(s.t, os.Truncate(book, info.Size()/2))
	check(s.t, s.Start(s.t.Context()))
	check(s.t, prints(s.Marina, "The address book cannot be read: taking its copy", book))
	// By the kubeconfig from before, which means at the same address.
	check(s.t, harness.Await(s.t.Context(), time.Minute, func(context.Context) error { return s.write(1) }))
}
