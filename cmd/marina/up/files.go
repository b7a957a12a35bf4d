package up

import (
	"context"
	"sync"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local"
)

// managementFiles are what the management plane mounts. They are replaced as a
// whole when a certificate has been renewed.
type managementFiles struct {
	mu    sync.Mutex
	files local.StaticFiles
}

func (f *managementFiles) set(files local.StaticFiles) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files = files
}

// Read implements local.Files.
func (f *managementFiles) Read(ctx context.Context, namespace string, m component.Mount) (map[string][]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files.Read(ctx, namespace, m)
}
