package local

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// launch starts a process that is to outlive us, and returns at once.
func launch(p *processPlan, dir string) (*handle, error) {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	log, err := openLog(p.log)
	if err != nil {
		return nil, fmt.Errorf("opening its log: %w", err)
	}
	defer log.Close()
	// It is opened for appending, and nobody else writes to it now.
	logFrom, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()

	pidfd := -1
	process, err := os.StartProcess(p.path, append([]string{p.path}, p.args...), &os.ProcAttr{
		Dir:   p.dir,
		Env:   p.environment(dir),
		Files: []*os.File{null, log, log},
		// A session of its own: a Ctrl-C in our terminal, or its end, is not for it.
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	if err != nil {
		return nil, err
	}
	// The handle takes over; os.Process would wait for children only.
	defer func() { _ = process.Release() }()
	id := identity{pid: process.Pid}
	if stat, ok := readStat(process.Pid); ok {
		// Also of a process that has already ended: it stays until we reap it.
		id.start = stat.start
	}
	h := newHandle(id, pidfd)
	h.logFrom = logFrom
	return h, nil
}
