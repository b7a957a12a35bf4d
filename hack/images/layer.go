package main

import (
	"archive/tar"
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
)

// entry is a file, folder or link of a layer.
type entry struct {
	path    string // in the image, without the leading slash
	source  string // on this machine
	links   bool   // a link is one in the image as well, rather than what it points at
	lowPort bool
}

// layer is the files that an image adds to the layers below.
type layer []entry

// bindLowPorts is the file capability cap_net_bind_service=ep as the kernel stores it
// (vfs_cap_data, revision 2). A program that is not root keeps a capability that its
// container was given only if its file has it, too.
const bindLowPorts = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// write writes the layer's archive: sorted, everything owned by root and without times.
func (l layer) write(w io.Writer) error {
	out := tar.NewWriter(w)
	seen := map[string]bool{".": true}
	for _, e := range slices.SortedFunc(slices.Values(l), func(a, b entry) int { return cmp.Compare(a.path, b.path) }) {
		if err := addParents(out, seen, path.Dir(e.path)); err != nil {
			return err
		}
		if seen[e.path] {
			return fmt.Errorf("%s is there twice", e.path)
		}
		seen[e.path] = true
		if err := e.write(out); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	return out.Close()
}

func addParents(out *tar.Writer, seen map[string]bool, folder string) error {
	if seen[folder] {
		return nil
	}
	if err := addParents(out, seen, path.Dir(folder)); err != nil {
		return err
	}
	seen[folder] = true
	return out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755})
}

func (e entry) write(out *tar.Writer) error {
	stat := os.Stat
	if e.links {
		stat = os.Lstat
	}
	info, err := stat(e.source)
	if err != nil {
		return err
	}
	header := &tar.Header{Name: e.path, Mode: mode(info), Size: info.Size()}
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		header.Typeflag, header.Mode, header.Size = tar.TypeSymlink, 0o777, 0
		if header.Linkname, err = os.Readlink(e.source); err != nil {
			return err
		}
		return out.WriteHeader(header)
	case info.IsDir():
		header.Typeflag, header.Size = tar.TypeDir, 0
		header.Name += "/"
		return out.WriteHeader(header)
	case !info.Mode().IsRegular():
		return fmt.Errorf("is neither a file nor a folder nor a link")
	}
	if e.lowPort {
		header.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": bindLowPorts}
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	return copyFile(out, e.source)
}
