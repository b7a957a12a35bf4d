// Command images writes one container image as an archive, without a container engine:
//
//	images -out kube-scheduler.tar -name marina.local/kube-scheduler:v1.37.1 \
//		-tree base /usr/local/bin/kube-scheduler=bin/kubernetes/v1.37.1/kube-scheduler
//
// The first file is the image's program. Each -tree is a layer with the files of a
// folder, the files named by arguments are the last layer. The archive is an OCI
// layout that is a Docker archive as well. It depends on the contents and modes of
// the files alone, never on their owners or times or on where they lie, so that the
// same inputs make the same digest, which is printed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	var (
		out     = flag.String("out", "", "the archive to write")
		name    = flag.String("name", "", "the image's name and tag")
		user    = flag.String("user", "65532:65532", "who the program runs as")
		lowPort = flag.Bool("low-ports", false, "let the program listen on ports below 1024 though it is not root")
		trees   []string
	)
	flag.Func("tree", "a folder whose files become a layer (repeatable)", func(folder string) error {
		trees = append(trees, folder)
		return nil
	})
	flag.Parse()
	digest, err := write(*out, *name, *user, *lowPort, trees, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

// write writes the archive and returns the digest of the image's manifest.
func write(out, name, user string, lowPort bool, trees, files []string) (string, error) {
	if out == "" || name == "" || len(files) == 0 {
		return "", fmt.Errorf("-out, -name and at least one DEST=SOURCE are needed")
	}
	var layers []layer
	for _, tree := range trees {
		entries, err := walk(tree)
		if err != nil {
			return "", err
		}
		layers = append(layers, entries)
	}
	var program string
	var last layer
	for _, file := range files {
		dest, source, ok := strings.Cut(file, "=")
		if !ok || !filepath.IsAbs(dest) {
			return "", fmt.Errorf("%q is not /DEST=SOURCE", file)
		}
		if program == "" {
			program = dest
		}
		last = append(last, entry{path: dest[1:], source: source, lowPort: lowPort && dest == program})
	}
	layers = append(layers, last)

	f, err := os.Create(out)
	if err != nil {
		return "", err
	}
	digest, err := archive(f, name, settings{User: user, Entrypoint: []string{program}}, layers)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", out, err)
	}
	return digest, nil
}

// walk returns the files and links of a folder.
func walk(folder string) (layer, error) {
	var entries layer
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		entries = append(entries, entry{path: relative, source: path, links: true})
		return nil
	})
	return entries, err
}

// copyFile writes the contents of a file.
func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
