package kubernetes

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/controlplane/component"
)

// Where a pod finds what the variables stand for.
const (
	dirFiles = "/etc/marina/files"
	dirData  = "/var/lib/marina"
	dirRun   = "/run/marina"
)

const (
	volumeData = "data"
	volumeRun  = "run"
	// fileMode lets the group read, which is the pod's own, and nobody else.
	fileMode = 0o440
)

// volumesOf are the volumes of a pod, but for that of its data, and where all of them
// are mounted in each container.
func volumesOf(c component.Component) ([]corev1.Volume, []corev1.VolumeMount, error) {
	var volumes []corev1.Volume
	var mounts []corev1.VolumeMount
	folders := map[string]*corev1.ProjectedVolumeSource{}
	for _, m := range c.Mounts {
		folder := path.Clean(m.Path)
		if folder == "." || path.IsAbs(folder) || strings.HasPrefix(folder, "..") || (m.Secret == "") == (m.ConfigMap == "") {
			return nil, nil, fmt.Errorf("mount %q: want a relative path, and either a Secret or a ConfigMap", m.Path)
		}
		if folders[folder] == nil {
			// A volume for each folder: in one for all, each key would have to be named.
			folders[folder] = &corev1.ProjectedVolumeSource{DefaultMode: ptr.To[int32](fileMode)}
			name := "files-" + strings.ReplaceAll(folder, "/", "-")
			volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: folders[folder]}})
			mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: path.Join(dirFiles, folder), ReadOnly: true})
		}
		folders[folder].Sources = append(folders[folder].Sources, projection(m))
	}
	if c.Data {
		mounts = append(mounts, corev1.VolumeMount{Name: volumeData, MountPath: dirData})
	}
	if uses(c, component.VarRun) || delayed(c) {
		// In memory: it holds nothing but sockets and a mark.
		volumes = append(volumes, corev1.Volume{Name: volumeRun, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
			Medium: corev1.StorageMediumMemory, SizeLimit: resource.NewQuantity(1<<20, resource.BinarySI),
		}}})
		mounts = append(mounts, corev1.VolumeMount{Name: volumeRun, MountPath: dirRun})
	}
	return volumes, mounts, nil
}

func projection(m component.Mount) corev1.VolumeProjection {
	var items []corev1.KeyToPath
	for _, key := range m.Keys {
		items = append(items, corev1.KeyToPath{Key: key, Path: key})
	}
	if m.Secret != "" {
		return corev1.VolumeProjection{Secret: &corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: m.Secret}, Items: items,
		}}
	}
	return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
		LocalObjectReference: corev1.LocalObjectReference{Name: m.ConfigMap}, Items: items,
	}}
}

// mountsHash is of the part of the Mounts that a pod must be replaced for; empty if
// there is none.
func mountsHash(mounts []component.Mount) string {
	var all []string
	for _, m := range mounts {
		if m.Hash != "" {
			all = append(all, path.Clean(m.Path)+"="+m.Hash)
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	return hashOf(all)
}

// uses reports whether a process of the Component is told of a variable.
func uses(c component.Component, variable string) bool {
	return slices.ContainsFunc(processes(c), func(p component.Process) bool {
		return slices.ContainsFunc(texts(p), func(text string) bool { return strings.Contains(text, variable) })
	})
}

// processes are the sidecars in order, and then the main one.
func processes(c component.Component) []component.Process {
	return append(slices.Clone(c.Sidecars), c.Main)
}

// texts are all texts of a process that may name variables.
func texts(p component.Process) []string {
	all := slices.Concat(p.Args, p.BeginArgs)
	for _, value := range p.Env {
		all = append(all, value)
	}
	return all
}
