package hollow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// All of 127.0.0.0/8 is this machine's. The nodes have the addresses from firstAddress on,
// far from those that anybody else takes.
var firstAddress = netip.MustParseAddr("127.64.0.1")

const addressCount = 1<<22 - 2

// addresses are those of the servers on this machine: one each, since clusters take a
// serving certificate for an address from one node only. It cannot be that of the server's
// port: networks of several projects may have the same, and none of them is here.
type addresses struct {
	dir string

	mu    sync.Mutex
	taken map[netip.Addr]string // by server
}

func readAddresses(dir string) (*addresses, error) {
	a := &addresses{dir: dir, taken: map[netip.Addr]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*", "address"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		address, err := netip.ParseAddr(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		a.taken[address] = filepath.Base(filepath.Dir(file))
	}
	return a, nil
}

// of is the address of a server, for as long as there is one. Where the search begins
// depends on its id: the next server should not have the address of one that has just
// gone, and whose node may still be there.
func (a *addresses) of(id string) (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for address, owner := range a.taken {
		if owner == id {
			return address, nil
		}
	}
	h := fnv.New32a()
	h.Write([]byte(id))
	for i := range uint32(addressCount) {
		address := plus(firstAddress, (h.Sum32()+i)%addressCount)
		if a.taken[address] == "" {
			a.taken[address] = id
			return address, os.WriteFile(filepath.Join(a.dir, id, "address"), []byte(address.String()+"\n"), 0o600)
		}
	}
	return netip.Addr{}, errors.New("all addresses are taken")
}

func (a *addresses) free(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for address, owner := range a.taken {
		if owner == id {
			delete(a.taken, address)
		}
	}
}

func plus(a netip.Addr, n uint32) netip.Addr {
	bytes := a.As4()
	binary.BigEndian.PutUint32(bytes[:], binary.BigEndian.Uint32(bytes[:])+n)
	return netip.AddrFrom4(bytes)
}
