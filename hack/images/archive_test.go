package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// files lays out what an image is made of in a new folder: a tree and a program.
func files(t *testing.T, program string, at time.Time) (tree, binary string) {
	t.Helper()
	folder := t.TempDir()
	tree, binary = filepath.Join(folder, "tree"), filepath.Join(folder, "program")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(tree, "etc"), 0o750),
		os.MkdirAll(filepath.Join(tree, "tmp"), 0o777),
		os.Chmod(filepath.Join(tree, "tmp"), 0o777|os.ModeSticky),
		os.WriteFile(filepath.Join(tree, "etc", "passwd"), []byte("nonroot:x:65532:65532::/:\n"), 0o640),
		os.Symlink("passwd", filepath.Join(tree, "etc", "link")),
		os.WriteFile(binary+".real", []byte(program), 0o700),
		os.Symlink(binary+".real", binary),
		os.Chtimes(filepath.Join(tree, "etc", "passwd"), at, at),
		os.Chtimes(binary+".real", at, at),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree, binary
}

// build writes an image of the files and returns its digest and the archive.
func build(t *testing.T, tree, binary string) (string, []byte) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image.tar")
	digest, err := write(out, "example.local/dns:v1", "65532:65532", true, []string{tree}, []string{"/usr/bin/dns=" + binary})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return digest, content
}

func TestSameContentsMakeTheSameImage(t *testing.T) {
	tree, binary := files(t, "program", time.Unix(1, 0))
	first, archive := build(t, tree, binary)

	tree, binary = files(t, "program", time.Unix(1e9, 0))
	again, archiveAgain := build(t, tree, binary)
	if first != again || !cmp.Equal(archive, archiveAgain) {
		t.Errorf("files of another folder and time made %s, want %s", again, first)
	}

	tree, binary = files(t, "Program", time.Unix(1, 0))
	if other, _ := build(t, tree, binary); other == first {
		t.Errorf("another program made the same image: %s", other)
	}
}

func TestArchive(t *testing.T) {
	tree, binary := files(t, "program", time.Unix(1, 0))
	digest, _ := build(t, tree, binary)
	out := filepath.Join(t.TempDir(), "image.tar")
	if _, err := write(out, "example.local/dns:v1", "65532:65532", true, []string{tree}, []string{"/usr/bin/dns=" + binary}); err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read(t, f, func(h *tar.Header, content []byte) { blobs[h.Name] = content })

	var index struct{ Manifests []descriptor }
	decode(t, blobs["index.json"], &index)
	want := []descriptor{{
		MediaType: typeManifest, Digest: digest, Size: int64(len(blobs[blob(digest)])),
		Annotations: map[string]string{"io.containerd.image.name": "example.local/dns:v1"},
	}}
	if diff := cmp.Diff(want, index.Manifests); diff != "" {
		t.Errorf("index.json (-want +got):\n%s", diff)
	}
	var docker []struct {
		Config           string
		RepoTags, Layers []string
	}
	decode(t, blobs["manifest.json"], &docker)
	if len(docker) != 1 || !cmp.Equal(docker[0].RepoTags, []string{"example.local/dns:v1"}) {
		t.Fatalf("manifest.json names %+v", docker)
	}
	var config struct{ Config settings }
	decode(t, blobs[docker[0].Config], &config)
	wantSettings := settings{
		User:       "65532:65532",
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Entrypoint: []string{"/usr/bin/dns"},
	}
	if diff := cmp.Diff(wantSettings, config.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}

	type file struct {
		Mode                   int64
		Link, Content, LowPort string
	}
	got := map[string]file{}
	for _, layer := range docker[0].Layers {
		read(t, bytes.NewReader(blobs[layer]), func(h *tar.Header, content []byte) {
			if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 {
				t.Errorf("%s belongs to %d:%d and is of %s", h.Name, h.Uid, h.Gid, h.ModTime)
			}
			got[h.Name] = file{h.Mode, h.Linkname, string(content), h.PAXRecords["SCHILY.xattr.security.capability"]}
		})
	}
	wantFiles := map[string]file{
		"etc/":        {Mode: 0o755},
		"etc/link":    {Mode: 0o777, Link: "passwd"},
		"etc/passwd":  {Mode: 0o644, Content: "nonroot:x:65532:65532::/:\n"},
		"tmp/":        {Mode: 0o1777},
		"usr/":        {Mode: 0o755},
		"usr/bin/":    {Mode: 0o755},
		"usr/bin/dns": {Mode: 0o755, Content: "program", LowPort: "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	}
	if diff := cmp.Diff(wantFiles, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func decode(t *testing.T, content []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%v: %q", err, content)
	}
}

func read(t *testing.T, from io.Reader, each func(*tar.Header, []byte)) {
	t.Helper()
	archive := tar.NewReader(from)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		each(header, content)
	}
}
