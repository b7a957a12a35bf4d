package tutorial

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// processes are those that have one of some folders in their environment, with what
// they run: from the terminals all inherit where their files are.
func processes(folders []string) (map[int]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if err != nil {
			continue // it ended meanwhile, or is somebody else's
		}
		if slices.ContainsFunc(folders, func(f string) bool { return bytes.Contains(environ, []byte("="+f+"/")) }) {
			found[pid], _ = os.Readlink(filepath.Join("/proc", entry.Name(), "exe"))
		}
	}
	return found, nil
}
