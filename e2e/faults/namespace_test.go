package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// toMount is what a person has to do who may not run these tests.
const toMount = "these tests need the right to mount: run them as root, or let users make user namespaces " +
	"(sysctl user.max_user_namespaces, and kernel.apparmor_restrict_unprivileged_userns=0 where there is AppArmor)"

// envInside is set in the namespaces of the tests' own.
const envInside = "MARINA_TEST_IN_NAMESPACES"

// TestMain runs the tests where they may mount: elsewhere than here if need be.
func TestMain(m *testing.M) {
	if mayMount() || os.Getenv(envInside) != "" {
		os.Exit(m.Run())
	}
	code, err := runInside()
	if err != nil {
		fmt.Fprintf(os.Stderr, "making a user and a mount namespace: %v: %s\n", err, toMount)
	}
	os.Exit(code)
}

func mayMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	return unix.Capget(&header, &sets[0]) == nil && sets[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// runInside runs this program once more as the root of a user namespace, whose mounts
// nobody else sees, and returns how it exited.
func runInside() (code int, err error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), envInside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		// It has said itself what was wrong.
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
