package up

import (
	"net"
	"testing"
	"time"

	"github.com/marina-dev/marina/pkg/pki"
)

func TestPort(t *testing.T) {
	keys := keyStore{dir: t.TempDir()}
	ca, err := pki.NewCA("stranger", time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.write("ca.crt", ca.CertPEM); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	}()
	assertError(t, checkPort(port, keys), "taken by another program", "--port", "ss -ltnp")
	listener.Close()
	if err := checkPort(port, keys); err != nil {
		t.Errorf("a free port: %v", err)
	}
}
