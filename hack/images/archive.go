package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime"
)

// Media types of the OCI image specification.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// epoch is the time of everything in an image.
const epoch = "1970-01-01T00:00:00Z"

// settings is how a container of the image starts.
type settings struct {
	User       string
	Env        []string
	Entrypoint []string
}

// descriptor points at a blob of the archive.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// archive writes an image: its layers, what runs in it, and twice where all of that
// lies, for readers of OCI layouts (containerd) and of Docker archives (docker, kind).
func archive(w io.Writer, name string, s settings, layers []layer) (string, error) {
	s.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	out := tar.NewWriter(w)
	var described []descriptor
	var diffs, paths []string
	for _, l := range layers {
		d, err := addLayer(out, l)
		if err != nil {
			return "", err
		}
		described = append(described, d)
		diffs = append(diffs, d.Digest)
		paths = append(paths, blob(d.Digest))
	}
	config, err := addJSON(out, typeConfig, map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      epoch,
		"config":       s,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": diffs},
	})
	if err != nil {
		return "", err
	}
	manifest, err := addJSON(out, typeManifest, map[string]any{
		"schemaVersion": 2,
		"mediaType":     typeManifest,
		"config":        config,
		"layers":        described,
	})
	if err != nil {
		return "", err
	}
	manifest.Annotations = map[string]string{"io.containerd.image.name": name}
	for _, f := range []struct {
		path    string
		content any
	}{
		{"oci-layout", map[string]any{"imageLayoutVersion": "1.0.0"}},
		{"index.json", map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []descriptor{manifest}}},
		{"manifest.json", []any{map[string]any{"Config": blob(config.Digest), "RepoTags": []string{name}, "Layers": paths}}},
	} {
		content, err := json.Marshal(f.content)
		if err != nil {
			return "", err
		}
		if err := addBytes(out, f.path, content); err != nil {
			return "", err
		}
	}
	return manifest.Digest, out.Close()
}

// blob returns the path of what has a digest.
func blob(digest string) string { return "blobs/sha256/" + digest[len("sha256:"):] }

// addLayer adds a layer as a blob. It writes the layer twice, first to learn the
// digest that is its name: the layers need not fit into memory.
func addLayer(out *tar.Writer, l layer) (descriptor, error) {
	sum := &summer{hash: sha256.New()}
	if err := l.write(sum); err != nil {
		return descriptor{}, err
	}
	d := sum.descriptor(typeLayer)
	if err := out.WriteHeader(&tar.Header{Name: blob(d.Digest), Mode: 0o644, Size: d.Size}); err != nil {
		return descriptor{}, err
	}
	return d, l.write(out)
}

func addJSON(out *tar.Writer, mediaType string, value any) (descriptor, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, err
	}
	sum := &summer{hash: sha256.New()}
	if _, err := sum.Write(content); err != nil {
		return descriptor{}, err
	}
	d := sum.descriptor(mediaType)
	return d, addBytes(out, blob(d.Digest), content)
}

func addBytes(out *tar.Writer, path string, content []byte) error {
	if err := out.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := out.Write(content)
	return err
}

// summer counts and hashes what is written to it.
type summer struct {
	hash hash.Hash
	size int64
}

func (s *summer) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.hash.Write(p)
}

func (s *summer) descriptor(mediaType string) descriptor {
	return descriptor{MediaType: mediaType, Digest: fmt.Sprintf("sha256:%x", s.hash.Sum(nil)), Size: s.size}
}

// mode keeps of a file's mode what matters in an image.
func mode(info os.FileInfo) int64 {
	switch {
	case info.Mode()&os.ModeSticky != 0:
		return 0o1777
	case info.IsDir(), info.Mode()&0o111 != 0:
		return 0o755
	default:
		return 0o644
	}
}
