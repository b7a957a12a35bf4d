package session

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
)

// Environment variables that the CLI reads besides KUBECONFIG.
const (
	// EnvKubeconfig names the kubeconfig of the management cluster.
	EnvKubeconfig = "MARINA_KUBECONFIG"
	// EnvDataDir is the folder that 'marina up' keeps everything in.
	EnvDataDir = "MARINA_DATA_DIR"

	envDataHome = "XDG_DATA_HOME"
)

// Location is where the management cluster's kubeconfig is.
type Location struct {
	// Paths are the files that are merged; there is more than one only if
	// KUBECONFIG lists several.
	Paths []string
	// From says who named them, for messages; empty if nobody did.
	From string
	// Asked is true when somebody named the file for Marina: then it must exist.
	Asked bool
}

// Locate finds the management cluster's kubeconfig; nothing else decides about it.
// The first of these counts:
//
//  1. flag, the value of --kubeconfig
//  2. $MARINA_KUBECONFIG
//  3. kubeconfig in the data folder of 'marina up', if it exists
//  4. $KUBECONFIG, or ~/.kube/config
//
// What 'marina up' wrote goes before $KUBECONFIG, because that names a tenant's
// cluster as soon as somebody follows the tutorial: 'marina kubeconfig get' makes
// the tenant the current context.
func Locate(flag string, getenv func(string) string, home string) Location {
	if flag != "" {
		return Location{Paths: []string{flag}, From: "--kubeconfig", Asked: true}
	}
	if path := getenv(EnvKubeconfig); path != "" {
		return Location{Paths: []string{path}, From: "$" + EnvKubeconfig, Asked: true}
	}
	path := UpKubeconfig(getenv, home)
	if _, err := os.Stat(path); err == nil {
		return Location{Paths: []string{path}, From: "marina up"}
	}
	var paths []string
	for _, path := range filepath.SplitList(getenv(clientcmd.RecommendedConfigPathEnvVar)) {
		if path != "" {
			paths = append(paths, path)
		}
	}
	if len(paths) > 0 {
		return Location{Paths: paths, From: "$" + clientcmd.RecommendedConfigPathEnvVar}
	}
	return Location{Paths: []string{filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)}}
}

// UpKubeconfig is the kubeconfig that 'marina up' writes, anew at each start.
func UpKubeconfig(getenv func(string) string, home string) string {
	return filepath.Join(DataDir(getenv, home), "kubeconfig")
}

// DataDir is the folder of 'marina up': $MARINA_DATA_DIR, or marina below
// $XDG_DATA_HOME, which is ~/.local/share by default.
func DataDir(getenv func(string) string, home string) string {
	if dir := getenv(EnvDataDir); dir != "" {
		return dir
	}
	// The XDG specification says to ignore a relative path.
	if dir := getenv(envDataHome); filepath.IsAbs(dir) {
		return filepath.Join(dir, "marina")
	}
	return filepath.Join(home, ".local", "share", "marina")
}

// Has tells whether path is one of the files.
func (l Location) Has(path string) bool {
	return slices.ContainsFunc(l.Paths, func(p string) bool { return filepath.Clean(p) == filepath.Clean(path) })
}

// String is the files and who named them, for messages.
func (l Location) String() string {
	text := strings.Join(l.Paths, " and ")
	if l.From != "" {
		text += " (from " + l.From + ")"
	}
	return text
}
