package container

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const its = "marina-" + id

func TestTheLifeOfAServer(t *testing.T) {
	p, s := newPlace(t), server(t)
	d := p.driver(t)
	check(t, os.MkdirAll(filepath.Join(p.dir, Folder, "gone"), 0o700))
	p.is(t, id+"\nunknown")
	check(t, d.Keep(t.Context(), []string{id}))
	if diff := cmp.Diff([]string{"rm marina-unknown", "rm marina-gone"}, p.told(t)); diff != "" {
		t.Error("what belongs to no server (-want +got)", diff)
	}
	made := []string{"rm " + its, "create node:v1.37.1", "cp " + its + ":/", "start " + its}
	for _, step := range []struct {
		name, state string
		do          func() error
		want        []string
	}{
		{"it is new", "", func() error { return d.Boot(t.Context(), s) }, made},
		{"its creation was cut short", "created", func() error { return d.Boot(t.Context(), s) }, made},
		{"it runs", "running", func() error { return d.Boot(t.Context(), s) }, nil},
		{"it is off", "exited", func() error { return d.Boot(t.Context(), s) }, []string{"start " + its}},
		{"it is stopped", "running", func() error { return d.Stop(t.Context(), id) }, []string{"stop " + its}},
		{"what was never booted is stopped", "", func() error { return d.Stop(t.Context(), id) }, nil},
		{"it is rebooted", "running", func() error { return d.Reboot(t.Context(), id, true) }, []string{"restart " + its}},
		{"the power fails", id, func() error { return d.Shutdown(t.Context()) }, []string{"kill " + its}},
		{"it is deleted", "exited", func() error { return d.Destroy(t.Context(), id) }, []string{"rm " + its}},
	} {
		p.is(t, step.state)
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, p.told(t)); diff != "" {
			t.Errorf("%s (-want +got): %s", step.name, diff)
		}
	}
	if left, err := os.ReadDir(filepath.Join(p.dir, Folder)); err != nil || len(left) > 0 {
		t.Errorf("of a server that is gone there is %v (%v)", left, err)
	}
}

func TestADiskIsUnpacked(t *testing.T) {
	p := newPlace(t)
	check(t, p.driver(t).Boot(t.Context(), server(t)))
	f, err := os.Open(p.said + ".tar")
	check(t, err)
	defer f.Close()
	got := map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		got[h.Name] = h.FileInfo().Mode().String() + " " + h.Linkname
	}
	for path, want := range map[string]string{
		"etc/kubernetes/bootstrap.kubeconfig":                            "-rw------- ",
		"usr/local/lib/marina/join":                                      "-rwxr-xr-x ",
		"usr/local/bin/cloud-init":                                       "-rwxr-xr-x ",
		"etc/systemd/system/api.socket":                                  "-rw-r--r-- ",
		"etc/systemd/system/multi-user.target.wants/cloud-final.service": "Lrw-r--r-- /etc/systemd/system/cloud-final.service",
		"etc/systemd/system/kubelet.service.d/20-marina.conf":            "-rw-r--r-- ",
		"etc/systemd/system/kubelet.service.d/00-cloud-init.conf":        "-rw-r--r-- ",
	} {
		if got[path] != want {
			t.Errorf("%s is %q, want %q", path, got[path], want)
		}
	}
}

func TestWhatFails(t *testing.T) {
	t.Run("the engine's words are the server's fault", func(t *testing.T) {
		p := newPlace(t)
		check(t, os.WriteFile(p.fails, []byte("create"), 0o600))
		err := p.driver(t).Boot(t.Context(), server(t))
		if err == nil || !strings.Contains(err.Error(), "docker create") || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an image without a container image", func(t *testing.T) {
		s := server(t)
		s.Image["kubernetes_version"] = "v1.36.4"
		err := newPlace(t).driver(t).Boot(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), "--node-image") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a mistake in the user data is on the console", func(t *testing.T) {
		p, s := newPlace(t), server(t)
		s.UserData = []byte("#!/bin/sh\n")
		d := p.driver(t)
		check(t, d.Boot(t.Context(), s))
		if told := p.told(t); len(told) != 4 {
			t.Errorf("it does not boot: %v", told)
		}
		if got := d.Console(id); !strings.Contains(got, "cloud-init: the user data is no cloud-config") {
			t.Errorf("its console shows %q", got)
		}
	})
}
