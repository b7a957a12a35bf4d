package container

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRelay(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			said, _ := io.ReadAll(conn)
			_, _ = io.WriteString(conn, strings.ToUpper(string(said)))
			conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(server.Addr().String())
	check(t, err)
	// Longer than the name of a socket may be.
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	check(t, os.Mkdir(folder, 0o700))
	t.Chdir(folder)
	for _, name := range []string{"the first", "the one after a process that was killed"} {
		r := &relays{log: slog.New(slog.DiscardHandler)}
		check(t, r.open(id, folder, port))
		check(t, r.open(id, folder, port))
		conn, err := net.Dial("unix", socketFile)
		check(t, err)
		_, err = io.WriteString(conn, "hello")
		check(t, err)
		check(t, conn.(*net.UnixConn).CloseWrite())
		answer, err := io.ReadAll(conn)
		check(t, err)
		if string(answer) != "HELLO" {
			t.Errorf("%s: the answer is %q", name, answer)
		}
		conn.Close()
		r.close(id)
		if conn, err := net.Dial("unix", socketFile); err == nil {
			conn.Close()
			t.Errorf("%s: closed, it goes on", name)
		}
	}
}
