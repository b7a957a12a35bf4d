package local

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/reconcile"
)

func reservationOf(name string, replicas int, ports ...string) host.Reservation {
	r := host.Reservation{Namespace: testNamespace, Name: name, Replicas: replicas, Balanced: []component.Balanced{{Port: "https"}}}
	for _, port := range ports {
		r.Ports = append(r.Ports, component.Port{Name: port})
	}
	return r
}

// book opens the address book of a fixture.
func (f *fixture) book(t testing.TB) *addressBook {
	t.Helper()
	o := Options{Dir: f.dir, BinDir: f.bin, Files: f.files, FirstPort: f.firstPort, LastPort: f.firstPort + testPorts - 1}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	b, err := openAddressBook(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustReserve(t testing.TB, b *addressBook, r host.Reservation) component.Addresses {
	t.Helper()
	a, err := b.reserve(key{r.Namespace, r.Name}, r)
	if err != nil {
		t.Fatalf("reserve: %v", err)
	}
	return a
}

// portsOf are all ports of some addresses.
func portsOf(a component.Addresses) []int {
	all := []int{a.Exposed["https"].Port}
	for _, r := range a.Replicas {
		for _, p := range r {
			all = append(all, p.Port)
		}
	}
	return all
}

func TestReserveGivesTheSameAgain(t *testing.T) {
	f := newFixture(t)
	b := f.book(t)
	first := mustReserve(t, b, reservationOf("a", 3, "https", "metrics"))
	if first.Exposed["https"].Host != "127.0.0.1" || len(first.Replicas) != 3 {
		t.Fatalf("addresses %+v: want three replicas on 127.0.0.1", first)
	}
	seen := map[int]bool{}
	for _, port := range portsOf(first) {
		if seen[port] || port < f.firstPort || port >= f.firstPort+testPorts {
			t.Errorf("port %d is given twice or out of range", port)
		}
		seen[port] = true
	}
	for name, book := range map[string]*addressBook{"at once": b, "after a restart": f.book(t)} {
		if diff := cmp.Diff(first, mustReserve(t, book, reservationOf("a", 3, "https", "metrics"))); diff != "" {
			t.Errorf("asked again %s (-first +again):\n%s", name, diff)
		}
	}
	for _, port := range portsOf(mustReserve(t, f.book(t), reservationOf("b", 2, "https"))) {
		if seen[port] {
			t.Errorf("port %d is given to two components", port)
		}
	}
}

// Tenants' nodes may be elsewhere: what is balanced is at the address that they reach, and
// nothing else is.
func TestOnlyWhatIsBalancedIsExposed(t *testing.T) {
	f := newFixture(t)
	o := Options{Dir: f.dir, BinDir: f.bin, Files: f.files, Exposed: "127.0.0.2", FirstPort: f.firstPort, LastPort: f.firstPort + testPorts - 1}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	b, err := openAddressBook(o)
	if err != nil {
		t.Fatal(err)
	}
	a := mustReserve(t, b, reservationOf("a", 1, "https"))
	got := []string{a.Exposed["https"].Host, a.Internal["https"].Host, a.Replicas[0]["https"].Host}
	if diff := cmp.Diff([]string{"127.0.0.2", "127.0.0.2", "127.0.0.1"}, got); diff != "" {
		t.Errorf("exposed, internal and replica (-want +got):\n%s", diff)
	}
}

// Where Components are, and no book, it was lost: so there is one also if none of them has
// a port.
func TestAComponentWithoutPortsIsInTheBook(t *testing.T) {
	f := newFixture(t)
	mustReserve(t, f.book(t), host.Reservation{Namespace: testNamespace, Name: "quiet", Replicas: 1})
	if diff := cmp.Diff([]string{testNamespace + "/quiet"}, f.book(t).keys()); diff != "" {
		t.Error("(-want +got)", diff)
	}
}

func TestReserveKeepsWhatIsNotAskedForAnyMore(t *testing.T) {
	b := newFixture(t).book(t)
	three := mustReserve(t, b, reservationOf("a", 3, "https"))
	if got := mustReserve(t, b, reservationOf("a", 1, "https")); len(got.Replicas) != 1 {
		t.Errorf("%d replicas, want 1", len(got.Replicas))
	}
	if diff := cmp.Diff(three, mustReserve(t, b, reservationOf("a", 3, "https"))); diff != "" {
		t.Errorf("back at three replicas (-before +after):\n%s", diff)
	}
	more := mustReserve(t, b, reservationOf("a", 3, "https", "metrics"))
	if more.Exposed["https"].Port != three.Exposed["https"].Port || more.Replicas[2]["https"] != three.Replicas[2]["https"] {
		t.Errorf("a further port changed the others: %+v, before %+v", more, three)
	}
}

func TestReservePassesOverPortsInUse(t *testing.T) {
	f := newFixture(t)
	taken := map[int]bool{}
	for i := range testPorts / 2 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(f.firstPort+2*i)))
		if err != nil {
			// Somebody else's, which is as good.
			taken[f.firstPort+2*i] = true
			continue
		}
		defer l.Close()
		taken[f.firstPort+2*i] = true
	}
	for _, port := range portsOf(mustReserve(t, f.book(t), reservationOf("a", 5, "https"))) {
		if taken[port] {
			t.Errorf("port %d is given though somebody listens on it", port)
		}
	}
}

func TestReserveSaysWhenNothingIsLeft(t *testing.T) {
	b := newFixture(t).book(t)
	r := reservationOf("a", testPorts+1, "https")
	if _, err := b.reserve(key{r.Namespace, r.Name}, r); err == nil || reconcile.As(err).Reason != "NoFreePort" {
		t.Fatalf("reserve of more than there is: %v, want NoFreePort", err)
	}
	if len(b.taken) > 0 || len(b.held) > 0 {
		t.Errorf("ports %v are taken, want what was picked until then to be given back", b.taken)
	}
}

func TestFreeGivesBack(t *testing.T) {
	f := newFixture(t)
	b := f.book(t)
	mustReserve(t, b, reservationOf("a", 3, "https"))
	kept := mustReserve(t, b, reservationOf("b", 1, "https"))
	if err := b.free(key{testNamespace, "a"}); err != nil {
		t.Fatal(err)
	}
	for name, book := range map[string]*addressBook{"at once": b, "after a restart": f.book(t)} {
		if len(book.taken) != len(portsOf(kept)) || len(book.held) != 1 {
			t.Errorf("%s ports %v of %v are taken, want those of b only", name, book.taken, book.held)
		}
	}
}

func TestReserveAtTheSameTime(t *testing.T) {
	f := newFixture(t)
	b := f.book(t)
	var wg sync.WaitGroup
	got := make([]component.Addresses, testPorts/4)
	for i := range got {
		wg.Go(func() { got[i] = mustReserve(t, b, reservationOf(fmt.Sprintf("c%d", i), 1, "https")) })
	}
	wg.Wait()
	seen := map[int]bool{}
	for _, a := range got {
		for _, port := range portsOf(a) {
			if seen[port] {
				t.Errorf("port %d is given twice", port)
			}
			seen[port] = true
		}
	}
	if diff := cmp.Diff(len(b.held), len(f.book(t).held)); diff != "" {
		t.Errorf("reservations that were written down: %s", diff)
	}
}

func TestABrokenAddressBookIsNotOverwritten(t *testing.T) {
	f := newFixture(t)
	path := filepath.Join(f.dir, "addresses.json")
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err := New(Options{Dir: f.dir, BinDir: f.bin, Files: f.files}); err == nil {
		abandon(t, h)
		t.Error("New with a broken address book: want an error, or every tenant gets another address")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
