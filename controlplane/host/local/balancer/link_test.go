package balancer

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// through returns a connection to a server over one link. serve is run on the
// server's end of it.
func through(t testing.TB, serve func(*net.TCPConn)) *net.TCPConn {
	t.Helper()
	client, clientEnd := pair(t)
	server, serverEnd := pair(t)
	go serve(serverEnd)
	carried := make(chan struct{})
	go func() {
		defer close(carried)
		(&link{client: clientEnd, server: server}).carry()
	}()
	t.Cleanup(func() {
		client.Close()
		serverEnd.Close()
		<-carried
	})
	if err := client.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return client
}

// pair returns the two ends of a TCP connection.
func pair(t testing.TB) (dialled, accepted *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	out, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return out.(*net.TCPConn), in.(*net.TCPConn)
}

func TestAClientMayCloseItsHalfAndReadOn(t *testing.T) {
	conn := through(t, func(server *net.TCPConn) {
		defer server.Close()
		// It answers only after the client's end.
		if got, err := io.ReadAll(server); err == nil {
			server.Write(got)
		}
	})
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes back, %v: want the %d that were sent", len(got), err, len(sent))
	}
}

func TestAServerMayCloseItsHalfAndReadOn(t *testing.T) {
	received := make(chan string, 1)
	conn := through(t, func(server *net.TCPConn) {
		defer server.Close()
		server.Write([]byte("bye"))
		server.CloseWrite()
		got, _ := io.ReadAll(server)
		received <- string(got)
	})
	if got, err := io.ReadAll(conn); err != nil || string(got) != "bye" {
		t.Fatalf("read %q, %v: want bye and the end", got, err)
	}
	if _, err := conn.Write([]byte("the rest")); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := <-received; got != "the rest" {
		t.Errorf("the server got %q, want what the client sent after the server's end", got)
	}
}

func TestABrokenServerBreaksTheClient(t *testing.T) {
	conn := through(t, func(server *net.TCPConn) {
		server.SetLinger(0)
		server.Close()
	})
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) || os.IsTimeout(err) {
		t.Errorf("reading: %v: want a reset, not an end that looks like the answer's", err)
	}
}

func TestDrain(t *testing.T) {
	t.Run("EndsWithTheLastConnection", func(t *testing.T) {
		a := newFakeServer(t, "a", 200)
		address, b, stop := start(t, Options{Backends: addresses(a), Drain: time.Hour})
		waitReady(t, b, a)
		held := hold(t, address)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			stop()
		}()
		waitFor(t, "new clients are refused", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		if err := echo(held, "draining"); err != nil {
			t.Errorf("while it drains: %v: want the open connection to go on", err)
		}
		held.Close()
		<-stopped
	})
	t.Run("ClosesWhatStaysTooLong", func(t *testing.T) {
		a := newFakeServer(t, "a", 200)
		address, b, stop := start(t, Options{Backends: addresses(a), Drain: time.Millisecond})
		waitReady(t, b, a)
		held := hold(t, address)
		stop()
		if err := echo(held, "too late"); err == nil || os.IsTimeout(err) {
			t.Errorf("after the drain: %v: want the connection to be closed", err)
		}
	})
}

func TestConnectionsLeaveNoDescriptorBehind(t *testing.T) {
	a := newFakeServer(t, "a", 200)
	address, b, _ := start(t, Options{Backends: addresses(a)})
	waitReady(t, b, a)
	if _, err := who(address); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for range 50 {
		if _, err := who(address); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "all descriptors of 50 connections are closed", func() bool {
		// A check may hold one for a moment.
		return b.backends[0].open.Load() == 0 && descriptors(t) <= before+2
	})
}

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
