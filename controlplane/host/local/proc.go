package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What the environment of each of our processes says of it. A new Host knows of a
// running process what stands here, and nothing else.
const (
	// envDir is the Host's Dir, and envProcess a processID.
	envDir     = "MARINA_DIR"
	envProcess = "MARINA_PROCESS"
	// envHash tells what the process runs; see processPlan.
	envHash = "MARINA_HASH"
	// envOrder is its place in the start order of its group, and envGrace how long it
	// may take to stop: a Component whose spec is gone must still be stopped well.
	envOrder = "MARINA_ORDER"
	envGrace = "MARINA_GRACE"
)

// identity names one process for ever. The kernel gives its number to another one
// later, but not with the same start time.
type identity struct {
	pid int
	// start is in clock ticks since boot.
	start uint64
}

// found is one of our processes that was running when the Host began.
type found struct {
	identity
	id    processID
	hash  string
	order int
	grace time.Duration
}

// procStat is what we need of /proc/PID/stat.
type procStat struct {
	state   byte
	session int
	threads int
	start   uint64
}

// parseStat reads the text of /proc/PID/stat. The second field, the program's name
// in brackets, may hold anything, brackets and spaces too.
func parseStat(text []byte) (procStat, error) {
	_, rest, ok := cutLast(text, ')')
	fields := strings.Fields(string(rest))
	// Numbered as in proc(5), where the field after the name is the third.
	const third = 3
	const state, session, threads, start = 0, 6 - third, 20 - third, 22 - third
	if !ok || len(fields) <= start {
		return procStat{}, fmt.Errorf("unexpected text %q", text)
	}
	sid, err := strconv.Atoi(fields[session])
	if err != nil {
		return procStat{}, err
	}
	tasks, err := strconv.Atoi(fields[threads])
	if err != nil {
		return procStat{}, err
	}
	ticks, err := strconv.ParseUint(fields[start], 10, 64)
	if err != nil {
		return procStat{}, err
	}
	return procStat{state: fields[state][0], session: sid, threads: tasks, start: ticks}, nil
}

func cutLast(b []byte, sep byte) (before, after []byte, ok bool) {
	i := bytes.LastIndexByte(b, sep)
	if i < 0 {
		return b, nil, false
	}
	return b[:i], b[i+1:], true
}

// readStat reads the stat of a process; ok is false when there is no such process.
func readStat(pid int) (stat procStat, ok bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return procStat{}, false
	}
	stat, err = parseStat(text)
	return stat, err == nil
}

// alive reports whether the process still runs: there is one of that number, it
// started then, and it has not ended.
func (i identity) alive() bool {
	stat, ok := readStat(i.pid)
	return ok && stat.start == i.start && !stat.ended()
}

// ended reports whether all of the process has ended. The state is its first thread's,
// which may be a zombie while others still run, and hold its files and ports.
func (s procStat) ended() bool {
	return s.state == 'X' || s.state == 'Z' && s.threads <= 1
}

// Running returns the processes of a Host's folder, by what MARINA_PROCESS says, with
// their numbers. There need not be a Host at the moment, nor a folder.
func Running(dir string) (map[string]int, error) {
	resolved, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := scan(resolved)
	pids := map[string]int{}
	for _, f := range all {
		pids[f.id.String()] = f.pid
	}
	return pids, err
}

// scan returns the processes of our user that belong to the Host of dir.
func scan(dir string) ([]found, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []found
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// What cannot be read is gone meanwhile, or is not ours.
		info, err := entry.Info()
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
			continue
		}
		stat, ok := readStat(pid)
		if !ok || stat.session != pid {
			// Ours lead their sessions. Another process has the environment from one of
			// ours that started it.
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil {
			continue
		}
		f, ours := recognise(environ, dir)
		if !ours {
			continue
		}
		f.identity = identity{pid: pid, start: stat.start}
		// The stat was read before the environment: both must be of the same process.
		if f.alive() {
			all = append(all, f)
		}
	}
	return all, nil
}

// recognise reads our markers in the environment of a process.
func recognise(environ []byte, dir string) (f found, ours bool) {
	env := map[string]string{}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if k, v, ok := bytes.Cut(entry, []byte{'='}); ok {
			env[string(k)] = string(v)
		}
	}
	if env[envDir] != dir {
		return found{}, false
	}
	id, err := parseProcessID(env[envProcess])
	if err != nil {
		return found{}, false
	}
	f = found{id: id, hash: env[envHash]}
	// Ill-formed ones are zero: the process can be stopped all the same.
	f.order, _ = strconv.Atoi(env[envOrder])
	f.grace, _ = time.ParseDuration(env[envGrace])
	return f, true
}
