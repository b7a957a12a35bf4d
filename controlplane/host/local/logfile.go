package local

import (
	"errors"
	"io"
	"os"
	"strings"
	"unicode"
)

// maxLog is the size from which a log is put aside when its process starts again.
const maxLog = 50 << 20

// openLog opens a process's log for appending. The process writes to the file
// itself, so that it can go on when we are gone; therefore only the start of a
// process is a moment to rotate.
func openLog(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxLog {
		err = os.Rename(path, path+".old")
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

// lastLine returns the end of the last line of a log that is not blank, short enough
// for a status message; empty if there is none.
func lastLine(path string) string {
	const tail, longest = 4 << 10, 200
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err != nil || size == 0 {
		return ""
	} else if _, err := f.Seek(max(0, size-tail), io.SeekStart); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(f, tail))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(lines[len(lines)-1], "?"))
	if runes := []rune(strings.TrimSpace(line)); len(runes) > longest {
		// The reason stands at the end of a line more often than at its beginning.
		line = "…" + string(runes[len(runes)-longest:])
	}
	return strings.TrimSpace(line)
}
