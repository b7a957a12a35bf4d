package join

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// tenant is an API server with an Approver at work, in a bubble of synctest: time is
// virtual and passes only when everybody waits, so that nothing here depends on how
// fast the machine is.
type tenant struct {
	*fake.Clientset
	t testing.TB
}

// inTenant runs an Approver against the objects until test returns.
func inTenant(t *testing.T, objects []runtime.Object, change func(*fake.Clientset, *Approver), test func(tenant)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		client := fake.NewClientset(objects...)
		approver := &Approver{Client: client}
		if change != nil {
			change(client, approver)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			approver.Run(ctx)
		}()
		synctest.Wait()
		test(tenant{client, t})
		cancel()
		<-ended
	})
}

// pass lets virtual time go by, which is over at once. The Approver asks for the time in
// too many places to be given a clock: for tokens, claims, what is looked at again, and
// watches that fail.
func (tenant) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (c tenant) create(csr *certificatesv1.CertificateSigningRequest) {
	c.t.Helper()
	if _, err := c.CertificatesV1().CertificateSigningRequests().Create(context.Background(), csr, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait()
}

// want checks what has become of a request: Approved, Denied or nothing, and why.
func (c tenant) want(name, conditionType, reason string) {
	c.t.Helper()
	csr, err := c.CertificatesV1().CertificateSigningRequests().Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	got, gotReason := "", ""
	for _, condition := range csr.Status.Conditions {
		got, gotReason = string(condition.Type), condition.Reason
	}
	if len(csr.Status.Conditions) > 1 || got != conditionType || gotReason != reason {
		c.t.Errorf("%s: conditions %v; want %q, %q", name, csr.Status.Conditions, conditionType, reason)
	}
}

// count is how often a verb was used on a resource.
func (c tenant) count(verb, resource string) (n int) {
	for _, action := range c.Actions() {
		if action.Matches(verb, resource) {
			n++
		}
	}
	return n
}

const csrs = "certificatesigningrequests"

func TestRunAnswers(t *testing.T) {
	// In a bubble the clock begins at the turn of the millennium.
	now := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	objects := []runtime.Object{
		joining("abcdef", "a").object(t, "before"), joining("zzzzzz", "b").object(t, "bad"),
		tokenOf("abcdef", "", now), tokenOf("bbbbbb", "bound", now), nodeOf("bound"),
	}
	inTenant(t, objects, nil, func(c tenant) {
		c.want("before", "Approved", "TokenJoin")
		c.want("bad", "Denied", "TokenInvalid")

		c.create(joining("abcdef", "c").object(t, "after"))
		c.want("after", "Approved", "TokenJoin")
		c.create(joining("bbbbbb", "bound").object(t, "replaced"))
		c.want("replaced", "Approved", "TokenJoin")
		c.create(joining("abcdef", "bound").object(t, "taken"))
		c.want("taken", "Denied", "NodeExists")

		c.pass(2 * time.Hour)
		c.create(joining("abcdef", "d").object(t, "late"))
		c.want("late", "Denied", "TokenInvalid")
	})
}

func TestRunReservesBoundNames(t *testing.T) {
	now := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	objects := []runtime.Object{tokenOf("abcdef", "", now), tokenOf("bbbbbb", "a", now), joining("abcdef", "a").object(t, "csr")}
	inTenant(t, objects, nil, func(c tenant) { c.want("csr", "Denied", "NameBound") })

	inventory := func(_ *fake.Clientset, a *Approver) {
		a.Inventory = func(_ context.Context, node string) ([]netip.Addr, bool, error) { return nil, node == "ours", nil }
	}
	objects = []runtime.Object{tokenOf("abcdef", "", now), joining("abcdef", "ours").object(t, "csr"), joining("abcdef", "theirs").object(t, "other")}
	inTenant(t, objects, inventory, func(c tenant) {
		c.want("csr", "Denied", "NameBound")
		c.want("other", "Approved", "TokenJoin")
	})
}

// TestRunLeavesAlone: what is settled or somebody else's costs nothing but the watch.
func TestRunLeavesAlone(t *testing.T) {
	other := joining("abcdef", "a")
	other.signer = "kubernetes.io/kube-apiserver-client"
	objects := []runtime.Object{other.object(t, "other")}
	for _, conditionType := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed} {
		csr := joining("abcdef", "a").object(t, string(conditionType))
		csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: conditionType, Reason: "ByHand"}}
		objects = append(objects, csr)
	}
	issued := joining("abcdef", "a").object(t, "issued")
	issued.Status.Certificate = []byte("certificate")
	objects = append(objects, issued)
	inTenant(t, objects, nil, func(c tenant) {
		c.pass(time.Minute)
		if got := c.count("list", csrs) + c.count("watch", csrs); got != 2 || len(c.Actions()) != 2 {
			t.Errorf("actions %v, want one list and one watch", c.Actions())
		}
	})
}

// TestRunRefusesClones: two machines of one name and one token, before either has
// registered. Only one of them may be that node.
func TestRunRefusesClones(t *testing.T) {
	now := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	clone := func(machine string) asked {
		a := joining("abcdef", "ubuntu")
		a.machine = machine
		return a
	}
	objects := []runtime.Object{tokenOf("abcdef", "", now), clone("one").object(t, "one"), clone("two").object(t, "two")}
	inTenant(t, objects, nil, func(c tenant) {
		c.want("one", "Approved", "TokenJoin")
		c.want("two", "Denied", "NameClaimed")
		c.create(clone("three").object(t, "three"))
		c.want("three", "Denied", "NameClaimed")
		c.create(clone("one").object(t, "again"))
		c.want("again", "Approved", "TokenJoin")

		// Whoever deletes the requests says that the machine is gone.
		for _, name := range []string{"one", "again"} {
			if err := c.CertificatesV1().CertificateSigningRequests().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		c.create(clone("four").object(t, "four"))
		c.want("four", "Approved", "TokenJoin")
		c.pass(5*time.Minute + time.Second)
		c.create(clone("five").object(t, "five"))
		c.want("five", "Approved", "TokenJoin")
	})
}

// TestRunKnowsOldClaims: an Approver that has just started learns from the list which
// names were given away a moment ago.
func TestRunKnowsOldClaims(t *testing.T) {
	now := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	given := joining("abcdef", "a").object(t, "zz-given-by-another")
	given.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, LastUpdateTime: metav1.NewTime(now.Add(-time.Minute))}}
	given.Status.Certificate = []byte("certificate")
	clone := joining("abcdef", "a")
	clone.machine = "clone"
	inTenant(t, []runtime.Object{tokenOf("abcdef", "", now), given, clone.object(t, "clone")}, nil, func(c tenant) {
		c.want("clone", "Denied", "NameClaimed")
	})
}

func TestRunServing(t *testing.T) {
	objects := []runtime.Object{nodeOf("b", "10.0.0.6")}
	inTenant(t, objects, nil, func(c tenant) {
		ctx := context.Background()
		c.create(serving("a", []string{"a"}, []string{"10.0.0.5"}).object(t, "early"))
		c.pass(time.Second)
		c.want("early", "", "")
		node := nodeOf("a", "10.0.0.5", "10.0.0.6")
		if _, err := c.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.pass(3 * time.Second)
		c.want("early", "Approved", "KnownNode")

		c.create(serving("a", nil, []string{"10.0.0.6"}).object(t, "stolen"))
		c.want("stolen", "Denied", "AddressTaken")
		lists := c.count("list", "nodes")
		c.create(serving("a", nil, []string{"10.0.0.7"}).object(t, "unknown"))
		c.want("unknown", "Denied", "AddressUnknown")
		if got := c.count("list", "nodes"); got != lists {
			t.Error("all nodes were listed for a request that is refused anyway")
		}
	})
}
