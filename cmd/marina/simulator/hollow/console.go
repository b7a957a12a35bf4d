package hollow

import (
	"fmt"
	"io"
	"os"
	"time"
)

// maxConsole is how many bytes of what a kubelet has logged its console shows: what a
// real one keeps is about as much.
const maxConsole = 64 << 10

// console is the screen of a server that boots.
type console struct {
	file *os.File
	now  func() time.Time
}

func openConsole(path string, now func() time.Time) (*console, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	return &console{file: f, now: now}, err
}

// say writes a line. That it cannot is no reason not to boot.
func (c *console) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.file, "%s %s\n", c.now().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

func (c *console) close() { _ = c.file.Close() }

// Console implements nova.Consoler. It shows what there is, which may be nothing.
func (d *Driver) Console(id string) string {
	return lastOf(d.consoleLog(id)) + lastOf(d.kubeletLog(id))
}

// lastOf is the end of a file.
func lastOf(path string) string {
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
