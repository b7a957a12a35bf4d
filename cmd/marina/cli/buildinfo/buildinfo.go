// Package buildinfo tells what this binary is and what it brings along.
package buildinfo

import (
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/manifests"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// version is set by release builds:
//
//	-ldflags "-X github.com/marina-dev/marina/cmd/marina/cli/buildinfo.version=v1.2.3"
var version string

// Info describes the binary.
type Info struct {
	Version   string `json:"version"`
	Commit    string `json:"commit,omitempty"`
	Modified  bool   `json:"modified,omitempty"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// Get reads what the Go tool recorded; a version set by the linker goes first.
var Get = sync.OnceValue(func() Info {
	build, _ := debug.ReadBuildInfo()
	return from(version, build)
})

func from(version string, build *debug.BuildInfo) Info {
	info := Info{Version: version, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build != nil {
		if info.Version == "" && build.Main.Version != "(devel)" {
			info.Version = build.Main.Version
		}
		for _, setting := range build.Settings {
			switch setting.Key {
			case "vcs.revision":
				info.Commit = setting.Value
			case "vcs.modified":
				info.Modified = setting.Value == "true"
			}
		}
	}
	if info.Version == "" {
		info.Version = "devel"
	}
	return info
}

// Releases are the names of the Kubernetes releases that this binary brings along
// and publishes, newest first.
func Releases() ([]string, error) {
	files, err := fs.Glob(manifests.FS, "releases/*.yaml")
	if err != nil {
		return nil, err
	}
	var versions []release.Version
	for _, file := range files {
		data, err := manifests.FS.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var r v1alpha1.KubernetesRelease
		if err := yaml.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		v, err := release.Parse(r.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		versions = append(versions, v)
	}
	release.Sort(versions)
	slices.Reverse(versions)
	names := make([]string, 0, len(versions))
	for _, v := range versions {
		names = append(names, v.String())
	}
	return names, nil
}
