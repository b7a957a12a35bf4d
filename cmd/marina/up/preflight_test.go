package up

import (
	"net"
	"testing"
)

func TestPort(t *testing.T) {
	d := dataDir(t.TempDir())
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	assertError(t, checkPort(port, d), "taken by another program", "--port", "ss -ltnp")
	listener.Close()
	if err := checkPort(port, d); err != nil {
		t.Errorf("a free port: %v", err)
	}
}
