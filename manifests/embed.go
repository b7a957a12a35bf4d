// Package manifests holds what is applied to a management cluster, as files that
// people can read and as a file system inside the binary.
package manifests

import "embed"

// FS holds crds/, policies/, releases/ and defaults/, in the order in which they
// are applied.
//
//go:embed crds/*.yaml policies/*.yaml releases/*.yaml defaults/*.yaml
var FS embed.FS
