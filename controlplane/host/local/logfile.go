package local

import (
	"encoding/json"
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

// A message quotes at most longest characters of a log, of whose end window is read:
// after the reason for a panic comes what each goroutine was at.
const longest, window = 200, 64 << 10

// lastWords returns why a process ended, as far as its log tells from an offset on:
// what it died of, or the end of the last line that is not blank. It is short enough
// for a status message, and empty if there is nothing.
func lastWords(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size < from {
		// It has been put aside meanwhile.
		from = 0
	}
	if _, err := f.Seek(max(from, size-window), io.SeekStart); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(f, window))
	if err != nil {
		return ""
	}
	return shorten(reason(strings.Split(strings.TrimSpace(string(text)), "\n")))
}

// reason finds the line that tells most. Programs that log JSON say there what a panic
// is about; Go itself prints it too, but without the details.
func reason(lines []string) string {
	words, structured := "", false
	for _, line := range lines {
		record := parseRecord(line)
		switch {
		case record.fatal():
			words, structured = record.String(), true
		case !structured && strings.HasPrefix(line, "[signal SIGBUS"):
			words = "SIGBUS: a file that it reads is shorter than it should be, or its disk fails"
		case !structured && (strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")):
			words = line
		}
	}
	if words != "" {
		return words
	}
	last := lines[len(lines)-1]
	if record := parseRecord(last); record.Message != "" {
		return record.String()
	}
	return last
}

// record is a line of a log in JSON, as etcd writes it.
type record struct {
	Level   string `json:"level"`
	Message string `json:"msg"`
	Path    string `json:"path"`
	Error   string `json:"error"`
}

// parseRecord returns the zero record for what is none.
func parseRecord(line string) (r record) {
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &r) != nil {
		return record{}
	}
	return r
}

func (r record) fatal() bool { return r.Level == "fatal" || r.Level == "panic" }

func (r record) String() string {
	text := r.Message
	for _, detail := range []string{r.Path, r.Error} {
		if detail != "" {
			text += ": " + detail
		}
	}
	return text
}

// shorten makes a line one that can stand in a message.
func shorten(line string) string {
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
	if runes := []rune(strings.TrimSpace(line)); len(runes) > longest {
		// The reason stands at the end of a line more often than at its beginning.
		line = "…" + string(runes[len(runes)-longest:])
	}
	return strings.TrimSpace(line)
}
