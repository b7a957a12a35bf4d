package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/logging"
)

func TestErrorsOfTheDiskSayWhatToDo(t *testing.T) {
	d := dataDir(t.TempDir())
	full := &os.PathError{Op: "write", Path: string(d) + "/marina.pid", Err: syscall.ENOSPC}
	readOnly := &os.PathError{Op: "open", Path: string(d) + "/marina.pid", Err: syscall.EROFS}
	cases := map[string]struct {
		err   error
		parts []string
	}{
		"full at the start": {notWritable(d, full), []string{
			"the disk of the data directory " + string(d) + " is full (", "MiB are free", "What to do: make room", "then start Marina again"}},
		"read-only at the start": {notWritable(d, readOnly), []string{
			"the data directory " + string(d) + " is on a file system that is mounted read-only", "What to do: find out why"}},
		"forbidden at the start": {notWritable(d, syscall.EACCES), []string{"cannot be written to", "What to do: make it writable for you"}},
		"full in a later step":   {explainDisk(d, fmt.Errorf("making a key: %w", full)), []string{"is full (", "making a key", "make room"}},
		"full while it runs": {failed(d, errors.New("the management etcd has failed: failed to commit tx: no space left on device")), []string{
			"is full (", "failed to commit tx", "make room", "the clusters live on, and it takes them over"}},
		"another failure while it runs": {failed(d, errors.New("the management etcd has stopped")), []string{
			"the management etcd has stopped", "What to do: start it again: the clusters live on"}},
		"etcd does not start": {etcdFailed(d, errors.New("bad magic")), []string{"bad magic", d.etcd(), d.etcdLog(), "restore it from a backup"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			assertError(t, tc.err, tc.parts...)
			var text bytes.Buffer
			if code := failure.Print(&text, tc.err); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
		})
	}
	t.Run("an error that is explained stays as it is", func(t *testing.T) {
		err := notWritable(d, full)
		if got := explainDisk(d, err); got.Error() != err.Error() {
			t.Errorf("%v, want %v", got, err)
		}
	})
}

func TestTheLogTellsHowMuchRoomThereIs(t *testing.T) {
	var log bytes.Buffer
	r := &Running{options: Options{Log: logging.New(&log, logging.Text, 0)}}
	dir := t.TempDir()
	said := map[string]bool{dir: true}
	r.checkSpace([]string{dir, filepath.Join(dir, "missing")}, said)
	low := said[dir]
	if again := strings.Contains(log.String(), "There is room on the disk again"); again == low {
		t.Errorf("the disk is nearly full: %v, and the log says %q", low, log.String())
	}
	before := log.Len()
	r.checkSpace([]string{dir}, said)
	if log.Len() != before {
		t.Errorf("it is said again: %s", log.String())
	}
}

func TestAnInterruptedStart(t *testing.T) {
	for sent, want := range map[syscall.Signal]int{syscall.SIGTERM: 0, syscall.SIGINT: 130} {
		t.Run(sent.String(), func(t *testing.T) {
			ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			if err := syscall.Kill(os.Getpid(), sent); err != nil {
				t.Fatal(err)
			}
			<-ctx.Done()
			var text bytes.Buffer
			code := 0
			if err := interrupted(ctx); err != nil {
				code = failure.Print(&text, err)
			}
			if code != want {
				t.Errorf("exit code %d, want %d: %s", code, want, text.String())
			}
		})
	}
}

// A line after which etcd would end the process ends nothing but what logs it.
func TestEtcdDoesNotEndTheProcess(t *testing.T) {
	for _, level := range []string{"fatal", "panic"} {
		t.Run(level, func(t *testing.T) {
			b := &breakage{broken: make(chan error, 1)}
			path := filepath.Join(t.TempDir(), "etcd.log")
			log := etcdLogger(path, b)
			go func() {
				if level == "fatal" {
					log.Fatal("failed to commit tx", zap.Error(syscall.ENOSPC))
				}
				log.Panic("failed to commit tx", zap.Error(syscall.ENOSPC))
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			select {
			case err := <-b.broken:
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "failed to commit tx") || !b.over.Load() {
					t.Errorf("%v, over: %v; want the message with its cause", err, b.over.Load())
				}
			case <-ctx.Done():
				t.Fatal("nobody is told")
			}
			if text := read(t, path); !strings.Contains(text, "no space left on device") {
				t.Errorf("the log says %q", text)
			}
		})
	}
}
