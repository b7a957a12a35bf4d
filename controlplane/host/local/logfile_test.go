package local

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLastWordsTellTheReason(t *testing.T) {
	const (
		before  = `{"level":"fatal","msg":"of the start before"}` + "\n"
		panics  = `{"level":"panic","ts":"2026-03-01T12:00:00Z","msg":"failed to open database","path":"/data/db","error":"invalid database"}` + "\n"
		unable  = `{"level":"fatal","msg":"failed to commit tx","error":"write /data/db: no space left on device","stacktrace":"x"}` + "\n"
		running = `{"level":"info","msg":"ready to serve client requests"}` + "\n"
		trace   = "\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:32 +0x1d\n"
	)
	cases := map[string]struct {
		log  string
		want string
	}{
		"nothing":                   {before, ""},
		"a line":                    {before + "Error: no such flag\n", "Error: no such flag"},
		"a line in JSON":            {before + running, "ready to serve client requests"},
		"a fatal line":              {before + running + unable, "failed to commit tx: write /data/db: no space left on device"},
		"a panic in JSON and by Go": {before + running + panics + "panic: failed to open database\n" + trace, "failed to open database: /data/db: invalid database"},
		"a panic by Go":             {before + running + "panic: index out of range\n" + trace, "panic: index out of range"},
		"a fault":                   {before + "fatal error: fault\n[signal SIGBUS: bus error]\n" + trace, "SIGBUS: a file that it reads is shorter than it should be, or its disk fails"},
		"broken JSON":               {before + `{"level":"fatal","ms`, `{"level":"fatal","ms`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(tc.log), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := lastWords(path, int64(len(before))); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	t.Run("a log that was put aside", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte("new\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := lastWords(path, 1<<20); got != "new" {
			t.Errorf("%q, want what is in the file now", got)
		}
	})
}
