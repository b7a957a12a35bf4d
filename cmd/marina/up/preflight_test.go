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

// The address is one of those that are for examples, which no machine has.
func TestExposedAddress(t *testing.T) {
	assertError(t, checkExposed("192.0.2.253"), "192.0.2.253", "--expose-address")
	if err := checkExposed("127.0.0.2"); err != nil {
		t.Errorf("an address of this machine: %v", err)
	}
}
