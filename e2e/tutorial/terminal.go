package tutorial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/marina-dev/marina/e2e/harness"
)

// limit is how long anything may take that a page tells to do. Programs are built
// before.
const limit = 3 * time.Minute

// terminal is a shell that lives as long as the page is read, so that a variable set
// in one block is there in the next.
type terminal struct {
	name   string
	shell  *exec.Cmd
	script io.WriteCloser
	exited chan struct{}
	// screen is the file that all is printed to, done one that grows with each block
	// that has ended. Files, because what a command has printed is there when it ends,
	// and because what it leaves running need not be waited for.
	screen, done string
	// seen is how much of the screen was compared, or belongs to earlier blocks.
	seen int
	// begun counts the blocks given to the shell.
	begun int
}

// prologue ends the shell at the first command that fails, and says which it was.
const prologue = `set -eE -o pipefail
trap 'echo "FAILED with status $?: $BASH_COMMAND"' ERR
`

// open starts a terminal in the repository. Its files are put into folder.
func open(name, folder string, env []string) (*terminal, error) {
	t := &terminal{
		name:   name,
		exited: make(chan struct{}),
		screen: filepath.Join(folder, "terminal-"+name+".screen"),
		done:   filepath.Join(folder, "terminal-"+name+".done"),
	}
	if err := os.WriteFile(t.done, nil, 0o600); err != nil {
		return nil, err
	}
	screen, err := os.OpenFile(t.screen, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer screen.Close()
	t.shell = exec.Command("bash", "--noprofile", "--norc", "-s")
	t.shell.Dir, t.shell.Env = harness.Root(), env
	t.shell.Stdout, t.shell.Stderr = screen, screen
	// As in a terminal, Ctrl-C is for the shell and what runs in it, not for the test.
	t.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if t.script, err = t.shell.StdinPipe(); err != nil {
		return nil, err
	}
	if err := t.shell.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = t.shell.Wait() // whether it was meant to end is for those who wait for exited
		close(t.exited)
	}()
	_, err = io.WriteString(t.script, prologue)
	return t, err
}

// begin has the shell run commands. They run in the shell itself, but what they read
// is not the script.
func (t *terminal) begin(commands string) error {
	if ended, err := t.ended(); err != nil || !ended {
		return errors.Join(err, fmt.Errorf("terminal %s is still busy", t.name))
	}
	got, err := os.ReadFile(t.screen)
	if err != nil {
		return err
	}
	t.seen = len(got)
	t.begun++
	_, err = fmt.Fprintf(t.script, "{\n%s} </dev/null\necho >>'%s'\n", commands, t.done)
	return err
}

// ended tells whether all commands have ended. It is an error if one has failed.
func (t *terminal) ended() (bool, error) {
	// Before the file is read, so that a shell that ended in order is not taken for one that failed.
	gone := false
	select {
	case <-t.exited:
		gone = true
	default:
	}
	done, err := os.ReadFile(t.done)
	if err != nil {
		return false, err
	}
	if bytes.Count(done, []byte("\n")) == t.begun {
		return true, nil
	}
	if gone {
		return false, harness.Fatal(fmt.Errorf("a command failed in terminal %s:\n%s", t.name, t.unseen()))
	}
	return false, nil
}

// awaitEnd waits until the commands have ended.
func (t *terminal) awaitEnd(ctx context.Context) error {
	return harness.Await(ctx, limit, func(context.Context) error {
		ended, err := t.ended()
		if err == nil && !ended {
			err = fmt.Errorf("the commands in terminal %s have not ended; they printed:\n%s", t.name, t.unseen())
		}
		return err
	})
}

// awaitText waits until a text is on the screen, which cannot come any more once the
// commands have ended.
func (t *terminal) awaitText(ctx context.Context, want string) error {
	return harness.Await(ctx, limit, func(context.Context) error {
		ended, err := t.ended()
		if err != nil {
			return err
		}
		got := t.unseen()
		if matches(want, got, !ended) {
			t.seen += len(got)
			return nil
		}
		err = fmt.Errorf("terminal %s was to print\n%s\nbut printed\n%s", t.name, want, got)
		if ended {
			return harness.Fatal(err)
		}
		return err
	})
}

// unseen is what the screen shows since the last comparison, in whole lines.
func (t *terminal) unseen() string {
	got, err := os.ReadFile(t.screen)
	if err != nil {
		return err.Error()
	}
	rest := string(got[t.seen:])
	return rest[:strings.LastIndex(rest, "\n")+1]
}

// interrupt is Ctrl-C: a signal to the shell and to what it runs in the foreground.
func (t *terminal) interrupt() error {
	return syscall.Kill(-t.shell.Process.Pid, syscall.SIGINT)
}

// close ends the shell, which leaves alone what it runs in the background.
func (t *terminal) close() error {
	if err := t.script.Close(); err != nil {
		return err
	}
	<-t.exited
	return nil
}
