package up

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/marina-dev/marina/cmd/marina/logging"
)

// What a crash, a full disk or a person may do to a file.
var harms = map[string]func(path string) error{
	"missing": os.Remove,
	"empty":   func(path string) error { return os.Truncate(path, 0) },
	"truncated": func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()/2)
	},
	"garbage": func(path string) error { return os.WriteFile(path, []byte("\x00\xff garbage"), 0o600) },
	// It cannot be read or written, whoever asks: permissions would not stop root.
	"a folder": func(path string) error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.MkdirAll(filepath.Join(path, "file"), 0o700)
	},
}

// used is a data directory that has been in use, without the data of etcd itself.
func used(t *testing.T) dataDir {
	t.Helper()
	d := dataDir(t.TempDir())
	if err := prepareData(d, silent); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.etcd(), "member", "wal", "0.wal"), "", 0o600)
	write(t, filepath.Join(d.tenants(), "marina-system", "etcd-default", "etcd-default-0", "data", "file"), "data of tenants", 0o600)
	return d
}

// prepareData does what a start does before it starts anything.
func prepareData(d dataDir, log *slog.Logger) error {
	held, err := openDataDir(d)
	if err != nil {
		return err
	}
	defer held.release()
	if err := checkEtcdData(d); err != nil {
		return err
	}
	m := &management{dir: d, log: log, files: &managementFiles{}, inputs: managementInputs{server: "https://127.0.0.1:7443"}}
	return m.renewCredentials(day())
}

// tree is the content of all files below a folder, by their names in it.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[name] = read(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDamagedStateFiles(t *testing.T) {
	const (
		kept     = "" // it does not matter, and nothing else changes
		repaired = "repaired"
	)
	// outcome is kept, repaired, or what the refusal says.
	type outcome map[string]string
	all := func(what string, but outcome) outcome {
		o := outcome{"missing": what, "empty": what, "truncated": what, "garbage": what, "a folder": "is a directory"}
		for harm, other := range but {
			o[harm] = other
		}
		return o
	}
	cases := map[string]outcome{
		"version": all("echo 1 >", outcome{"truncated": kept}),
		// Its lock counts, not its content.
		"marina.pid":              all(kept, nil),
		"kubeconfig":              all(repaired, outcome{"a folder": "kubeconfig: file exists"}),
		"pki/ca.crt":              all("restore both from a backup", nil),
		"pki/ca.key":              all("restore both from a backup", nil),
		"pki/service-account.key": all("restore it from a backup", nil),
		"pki/service-account.pub": all(repaired, nil),
		"pki/encryption.yaml":     all("restore that file from a backup", nil),
		"pki/etcd-ca.crt":         all(repaired, nil),
		"pki/etcd-ca.key":         all(repaired, nil),
	}
	for _, leaf := range []string{leafAPIServer, leafControllerManager, leafAdmin, leafMarina, leafEtcdServer, leafEtcdClient} {
		cases["pki/"+leaf+".crt"] = all(repaired, nil)
		cases["pki/"+leaf+".key"] = all(repaired, nil)
	}
	// Nobody may lose these, whatever happens to another file.
	irreplaceable := []string{"pki/ca.crt", "pki/ca.key", "pki/encryption.yaml", "pki/service-account.key",
		"etcd/member/wal/0.wal", "tenants/marina-system/etcd-default/etcd-default-0/data/file"}

	for name := range tree(t, string(used(t))) {
		if _, ok := cases[name]; !ok && !slices.Contains(irreplaceable, name) {
			t.Errorf("%s is a file of the data directory, and no case says what its loss does", name)
		}
	}
	for file, outcomes := range cases {
		for harm, want := range outcomes {
			t.Run(file+" "+harm, func(t *testing.T) {
				d := used(t)
				path := filepath.Join(string(d), file)
				before := tree(t, string(d))
				if err := harms[harm](path); err != nil {
					t.Fatal(err)
				}
				harmed := tree(t, string(d))
				var log bytes.Buffer
				err := prepareData(d, logging.New(&log, logging.Text, 0))

				after := tree(t, string(d))
				switch want {
				case kept, repaired:
					if err != nil {
						t.Fatalf("the start is refused: %v", err)
					}
					if want == repaired && !strings.Contains(log.String(), filepath.Base(strings.TrimSuffix(strings.TrimSuffix(file, ".crt"), ".key"))) {
						t.Errorf("the log does not speak of it: %s", log.String())
					}
					for _, name := range irreplaceable {
						if before[name] != after[name] {
							t.Errorf("%s has changed", name)
						}
					}
					if err := prepareData(d, silent); err != nil {
						t.Errorf("the next start is refused: %v", err)
					}
					if diff := cmp.Diff(after, tree(t, string(d))); diff != "" {
						t.Errorf("the next start changes something:\n%s", diff)
					}
				default:
					assertError(t, err, path, want)
					// Of what cannot be read nothing is known; the rest may be repaired.
					for name, content := range harmed {
						if now := after[name]; now != content && name != "marina.pid" {
							t.Errorf("%s has changed although the start was refused", name)
						}
					}
					if _, err := os.Lstat(path); harm == "missing" && err == nil {
						t.Error("it was made again")
					}
				}
			})
		}
	}
}

func TestAKeyThatIsRemovedOnPurposeIsMadeAgain(t *testing.T) {
	cases := map[string][]string{
		"the CA of the API":               {"ca.crt", "ca.key"},
		"the key of service accounts":     {"service-account.key", "service-account.pub"},
		"a certificate of the API server": {"kube-apiserver.crt", "kube-apiserver.key"},
	}
	for name, files := range cases {
		t.Run(name, func(t *testing.T) {
			d := used(t)
			before := contents(t, d.pki())
			for _, file := range files {
				if err := os.Remove(filepath.Join(d.pki(), file)); err != nil {
					t.Fatal(err)
				}
			}
			var log bytes.Buffer
			if err := prepareData(d, logging.New(&log, logging.Text, 0)); err != nil {
				t.Fatal(err)
			}
			after := contents(t, d.pki())
			for _, file := range files {
				if after[file] == "" || after[file] == before[file] {
					t.Errorf("%s was not made again", file)
				}
			}
			if text := log.String(); !strings.Contains(text, strings.TrimSuffix(files[0], ".crt")) {
				t.Errorf("the log does not say so: %s", text)
			}
			if _, err := clientcmd.LoadFromFile(d.kubeconfig()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnEncryptionConfigurationIsWholeOrRefused(t *testing.T) {
	d := used(t)
	path := filepath.Join(d.pki(), fileEncryption)
	whole := read(t, path)
	// At each length it is either refused, or what is left has the whole key.
	key := whole[strings.Index(whole, "secret: ")+len("secret: ") : strings.Index(whole, "=")+1]
	for length := range len(whole) {
		err := checkEncryption([]byte(whole[:length]))
		if hasKey := strings.Contains(whole[:length], key); err == nil && !hasKey {
			t.Errorf("the first %d of %d characters are taken for a configuration", length, len(whole))
		}
	}
	if err := checkEncryption([]byte(whole)); err != nil {
		t.Errorf("the whole of it: %v", err)
	}
	rotated := strings.Replace(whole, "          keys:\n", "          keys:\n            - name: \"2\"\n              secret: "+key+"\n", 1)
	if err := checkEncryption([]byte(rotated)); err != nil {
		t.Errorf("one with two keys: %v", err)
	}
}

func TestAClockBeforeTheKeysIsRefused(t *testing.T) {
	d := used(t)
	before := tree(t, string(d))
	_, err := ensureCredentials(d, day().AddDate(-20, 0, 0), silent, false)
	assertError(t, err, "the clock of this machine says 2006-03-01", "ca.crt", "set the clock")
	if diff := cmp.Diff(before, tree(t, string(d))); diff != "" {
		t.Errorf("something has changed:\n%s", diff)
	}
	// A day in either direction is no reason to do anything.
	for _, days := range []int{1, 2, 1} {
		if _, err := ensureCredentials(d, day().AddDate(0, 0, days), silent, false); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(before, tree(t, string(d))); diff != "" {
		t.Errorf("a day has changed something:\n%s", diff)
	}
}

func TestDataOfEtcdThatIsLostIsNotBegunAnew(t *testing.T) {
	d := used(t)
	if err := os.RemoveAll(d.etcd()); err != nil {
		t.Fatal(err)
	}
	err := prepareData(d, silent)
	assertError(t, err, d.etcd(), d.tenants(), "restore "+d.etcd()+" from a backup")
	if err := os.RemoveAll(d.tenants()); err != nil {
		t.Fatal(err)
	}
	if err := prepareData(d, silent); err != nil {
		t.Errorf("when nothing is hosted: %v", err)
	}
}
