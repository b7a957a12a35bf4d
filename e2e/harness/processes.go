package harness

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Processes are the processes that belong to this Marina, by the names that the
// local host gives them (namespace/component/ordinal/process), with their pids.
// "marina up" itself is not among them.
func (m *Marina) Processes() map[string]int {
	found := map[string]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil {
			continue
		}
		var dir, name string
		for _, pair := range strings.Split(string(environ), "\x00") {
			if v, ok := strings.CutPrefix(pair, "MARINA_DIR="); ok {
				dir = v
			}
			if v, ok := strings.CutPrefix(pair, "MARINA_PROCESS="); ok {
				name = v
			}
		}
		if name != "" && (dir == m.Dir || strings.HasPrefix(dir, m.Dir+"/")) {
			found[name] = pid
		}
	}
	return found
}
