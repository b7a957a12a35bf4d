package up

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestLimits(t *testing.T) {
	enough := limits{openFiles: 1 << 20, inotifyInstances: 8192, inotifyWatches: 1 << 19}
	with := func(change func(*limits)) limits {
		l := enough
		change(&l)
		return l
	}
	cases := map[string]struct {
		limits limits
		errors [][]string
		warns  bool
	}{
		"Enough":       {limits: enough},
		"NothingKnown": {limits: limits{}},
		"TheKernelsDefaults": {
			limits: limits{openFiles: 4096, inotifyInstances: 128, inotifyWatches: 8192},
			warns:  true,
		},
		"FewOpenFiles": {
			limits: with(func(l *limits) { l.openFiles = 1024 }),
			errors: [][]string{{"1024 files", "4096", "ulimit -Hn", "LimitNOFILE"}},
		},
		"FewInstances": {
			limits: with(func(l *limits) { l.inotifyInstances = 44 }),
			errors: [][]string{{"fs.inotify.max_user_instances is 44", "sudo sysctl -w fs.inotify.max_user_instances=8192"}},
		},
		"FewWatches": {
			limits: with(func(l *limits) { l.inotifyWatches = 1023 }),
			errors: [][]string{{"fs.inotify.max_user_watches is 1023", "sudo sysctl -w fs.inotify.max_user_watches=524288"}},
		},
		"AllAtOnce": {
			limits: limits{openFiles: 256, inotifyInstances: 8, inotifyWatches: 8},
			errors: [][]string{{"256 files"}, {"max_user_instances"}, {"max_user_watches"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			errs := tc.limits.check()
			if len(errs) != len(tc.errors) {
				t.Fatalf("%d errors, want %d: %v", len(errs), len(tc.errors), errs)
			}
			for i, parts := range tc.errors {
				assertError(t, errs[i], parts...)
			}
			if got := tc.limits.warn(); (got != "") != tc.warns {
				t.Errorf("warning %q, want one: %v", got, tc.warns)
			}
		})
	}
}

func TestPortsOfOutgoingConnections(t *testing.T) {
	usual := PortRange{First: 32768, Last: 60999}
	cases := map[string]struct {
		outgoing PortRange
		reserved string
		ports    PortRange
		says     []string // nothing is no warning
	}{
		"Below":      {outgoing: usual, ports: defaultTenants},
		"JustBelow":  {outgoing: usual, ports: PortRange{First: 32000, Last: 32767}},
		"JustAbove":  {outgoing: usual, ports: PortRange{First: 61000, Last: 61999}},
		"NotKnown":   {ports: PortRange{First: 45000, Last: 45999}},
		"Reserved":   {outgoing: usual, reserved: "8080,45000-45999", ports: PortRange{First: 45000, Last: 45999}},
		"RestIsFree": {outgoing: usual, reserved: "32768-32999", ports: PortRange{First: 32000, Last: 32999}},
		"Within": {outgoing: usual, ports: PortRange{First: 45000, Last: 45999},
			says: []string{"--port-range 45000-45999", "32768-60999", "such as 21000-30999", "'sudo sysctl -w net.ipv4.ip_local_reserved_ports=45000-45999'"}},
		"OnePort": {outgoing: usual, ports: PortRange{First: 32000, Last: 32768},
			says: []string{"--port-range 32000-32768"}},
		"OthersAreReserved": {outgoing: usual, reserved: "8080,45000-45998", ports: PortRange{First: 45000, Last: 45999},
			says: []string{"ip_local_reserved_ports=8080,45000-45998,45000-45999'"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := limits{outgoing: tc.outgoing, reserved: tc.reserved}.warnPorts(tc.ports)
			if len(tc.says) == 0 && got != "" {
				t.Errorf("warned %q, want nothing", got)
			}
			for _, part := range tc.says {
				if !strings.Contains(got, part) {
					t.Errorf("warned %q, want %q in it", got, part)
				}
			}
		})
	}
}

// What the processes get that we start is what matters.
func TestOpenFilesAreRaised(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 512, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	l, err := readLimits()
	if err != nil {
		t.Fatal(err)
	}
	if l.openFiles != before.Max || l.inotifyInstances == 0 || l.inotifyWatches == 0 || l.outgoing.Last == 0 {
		t.Errorf("read %+v, want %d open files, and what the kernel says of inotify and ports", l, before.Max)
	}
	child, err := exec.Command("sh", "-c", "ulimit -n").Output()
	if got, want := strings.TrimSpace(string(child)), fmt.Sprint(before.Max); err != nil || got != want {
		t.Errorf("a process that we start may open %s files, want %s (%v)", got, want, err)
	}
}
