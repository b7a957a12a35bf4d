package guest

import (
	"fmt"
	"io"
	"os"
	"time"
)

// maxConsole is how many bytes of a file a console shows: what a real one keeps is about
// as much.
const maxConsole = 64 << 10

// Console is the screen of a server that boots: a file, to be closed.
type Console struct {
	file *os.File
	now  func() time.Time
}

// OpenConsole opens one where the last boot has left it.
func OpenConsole(path string, now func() time.Time) (*Console, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	return &Console{file: f, now: now}, err
}

// Say writes a line. That it cannot is no reason not to boot.
func (c *Console) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.file, "%s %s\n", c.now().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

// Close ends it.
func (c *Console) Close() { _ = c.file.Close() }

// LastOf is the end of a file, as much as a console shows; nothing if there is none.
func LastOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxConsole {
		_, _ = f.Seek(-maxConsole, io.SeekEnd)
	}
	text, _ := io.ReadAll(io.LimitReader(f, maxConsole))
	return string(text)
}
