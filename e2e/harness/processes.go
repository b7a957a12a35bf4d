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
	for name, pids := range m.AllProcesses() {
		found[name] = pids[0]
	}
	return found
}

// TenantProcesses are those of tenants and of the shared etcd; they outlive "marina
// up".
func (m *Marina) TenantProcesses() map[string]int {
	found := m.Processes()
	for name := range found {
		if !strings.HasPrefix(name, "marina-") {
			delete(found, name)
		}
	}
	return found
}

// LogFile is where a process writes its log. One that takes its place appends to it.
func LogFile(pid int) (string, error) {
	return os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "fd", "1"))
}

// AllProcesses are Processes, with every pid of a name: there must be one.
func (m *Marina) AllProcesses() map[string][]int {
	found := map[string][]int{}
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
			found[name] = append(found[name], pid)
		}
	}
	return found
}
