package local

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// portFree reports whether nobody listens on the port. It binds the port and does not
// listen on it, so that nobody who tries to connect just then gets through to us.
func portFree(address netip.Addr, port int) bool {
	family, sockaddr := unix.AF_INET, unix.Sockaddr(nil)
	if address = address.Unmap(); address.Is4() {
		sockaddr = &unix.SockaddrInet4{Port: port, Addr: address.As4()}
	} else {
		family, sockaddr = unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: address.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	// As every server does, or connections that have just ended would be in the way.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return false
	}
	return unix.Bind(fd, sockaddr) == nil
}
