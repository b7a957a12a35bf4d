package etcd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// TestMembersThatLoseTheirDataAreReplaced takes away one member's volume after the
// other's, the leader's among them, and then two at once.
func TestMembersThatLoseTheirDataAreReplaced(t *testing.T) {
	w := ownWorld(t)
	tenant := w.addTenant(t, "kept")
	own := w.open(t, w.tenantPair(t, tenant))
	if _, err := own.Put(soon(t), "/kept/key", "value"); err != nil {
		t.Fatal(err)
	}
	w.until(t, whole)
	clusterID := w.cluster().Status.ClusterID

	for i := range component.EtcdReplicas {
		before := *w.member(i)
		t.Logf("%s loses its data; leader: %v", before.Name, before.Leader)
		if err := w.runner.Lose(i); err != nil {
			t.Fatal(err)
		}
		w.until(t, func(c *v1alpha1.EtcdCluster) error {
			return want(c.Status.Conditions, "Available", "False", "MembersMissing", before.Name)
		})
		// Before anybody has noticed, it begins; and is not let in as who it was.
		if err := w.runner.Start(i); err != nil {
			t.Fatal(err)
		}
		w.refused(t, i)
		if got := w.listed(t)[before.Name]; got == nil || fmt.Sprintf("%x", got.ID) != before.ID {
			t.Fatalf("the others know it as %v, want as %s still", got, before.ID)
		}

		w.until(t, whole)
		after := *w.member(i)
		if after.ID == before.ID || after.Data == before.Data || after.Replacing != "" {
			t.Errorf("recorded as %+v, before as %+v: want another identity and other data", after, before)
		}
		for name, m := range w.listed(t) {
			if m.IsLearner || len(m.PeerURLs) != 1 {
				t.Errorf("%s: %+v, want a member with a vote and one address", name, m)
			}
		}
		events := strings.Join(told(w.events), "\n")
		for _, says := range []string{"MemberDataLost " + before.Name, "MemberReplaced " + before.Name} {
			if !strings.Contains(events, says) {
				t.Errorf("Events %q, want %q among them", events, says)
			}
		}
	}
	if got := w.cluster().Status.ClusterID; got != clusterID || clusterID == "" {
		t.Errorf("it is the cluster %q, and was %q", got, clusterID)
	}
	if got, err := own.Get(soon(t), "/kept/key"); err != nil || len(got.Kvs) != 1 {
		t.Errorf("a key from before: %v, %v", got, err)
	}

	t.Log("two lose their data at once")
	for _, i := range []int{0, 2} {
		if err := w.runner.Lose(i); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{0, 2} {
		if err := w.runner.Start(i); err != nil {
			t.Fatal(err)
		}
	}
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "Ready", "False", "DataLost", "2 of 3 members have lost their data (etcd-default-0, etcd-default-2)")
	})
	w.refused(t, 0)
	w.refused(t, 2)
	recorded := []v1alpha1.EtcdMember{*w.member(0), *w.member(1), *w.member(2)}
	for range 5 {
		if _, err := w.reconcileCluster(); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range recorded {
		if got := w.member(i); got.ID != m.ID || got.Data != m.Data || got.Replacing != "" {
			t.Errorf("recorded as %+v, before as %+v: nobody may decide this but a person", got, m)
		}
	}

	t.Log("a person begins anew from the one that has its data, as docs/how-to/operate-etcd.md describes")
	w.runner.Kill(1)
	if err := w.runner.ForceNewCluster(1); err != nil {
		t.Fatal(err)
	}
	w.until(t, func(*v1alpha1.EtcdCluster) error {
		if n := len(w.listed(t)); n != 1 {
			return fmt.Errorf("%d members, want one", n)
		}
		return nil
	})
	w.runner.Kill(1)
	if err := w.runner.Start(1); err != nil {
		t.Fatal(err)
	}
	w.until(t, whole)
	if got, err := own.Get(soon(t), "/kept/key"); err != nil || len(got.Kvs) != 1 {
		t.Errorf("a key from before: %v, %v", got, err)
	}
}

// whole is when all members are ready and recorded.
func whole(c *v1alpha1.EtcdCluster) error {
	for _, m := range c.Status.Members {
		if m.ID == "" || m.Data == "" || m.Replacing != "" || !m.Ready {
			return fmt.Errorf("%+v", m)
		}
	}
	if len(c.Status.Members) != 3 || c.Status.ClusterID == "" {
		return fmt.Errorf("%+v", c.Status)
	}
	return want(c.Status.Conditions, "Available", "True", "AsExpected", "")
}

// member is what is recorded of a member.
func (w *world) member(i int) *v1alpha1.EtcdMember {
	return (&clusterScope{cluster: w.cluster()}).member(i)
}

// listed are the members that etcd knows, by name; none without a quorum.
func (w *world) listed(t testing.TB) map[string]*etcdserverpb.Member {
	t.Helper()
	list, err := w.root(t).MemberList(soon(t))
	if err != nil {
		return nil
	}
	members := map[string]*etcdserverpb.Member{}
	for _, m := range list.Members {
		members[m.Name] = m
	}
	return members
}

// refused waits until a member has ended by itself, since it must not begin.
func (w *world) refused(t testing.TB, i int) {
	t.Helper()
	before := w.runner.endsOf(i)
	if err := eventually(func() error {
		w.runner.ask(context.Background())
		if w.runner.endsOf(i) == before {
			return fmt.Errorf("member %d has not ended", i)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(w.runner.folder(i) + ".log")
	if err != nil || !strings.Contains(string(log), "no match found for existing member") && !strings.Contains(string(log), "cannot fetch cluster info from peer urls") {
		t.Fatalf("it ended for another reason: %v", err)
	}
	if wal, _ := filepath.Glob(filepath.Join(w.runner.folder(i), "etcd", "member", "wal", "*")); len(wal) > 0 {
		t.Errorf("it has begun: %v", wal)
	}
}

// TestNextReplacement is about one member, etcd-default-1, unless it says otherwise.
func TestNextReplacement(t *testing.T) {
	addresses := component.Addresses{}
	for i := range 3 {
		at := component.HostPort{Host: fmt.Sprintf("127.0.0.%d", i), Port: 2380}
		addresses.Replicas = append(addresses.Replicas, map[string]component.HostPort{"peer": at})
	}
	one := []string{"https://127.0.0.1:2380"}
	two := []string{"https://127.0.0.1:02380", "https://127.0.0.1:2380"}
	listed := func(id uint64, name string, learner bool, urls []string) *etcdserverpb.Member {
		return &etcdserverpb.Member{ID: id, Name: name, IsLearner: learner, PeerURLs: urls}
	}
	type world struct {
		*clusterScope
		known map[int]*etcdserverpb.Member
	}
	// learner is the member as it is when it has been added again.
	learner := func(w world, name string) {
		w.member(1).Replacing = "new"
		w.known[1] = listed(99, name, true, two)
	}
	for name, tc := range map[string]struct {
		change func(world)
		do     replaceVerb
		reason string
		kind   reconcile.Kind
	}{
		"NothingIsLost":            {change: func(w world) { w.members.Data[1] = "data-1" }},
		"NothingIsKnown":           {change: func(w world) { w.members.Data[1] = "" }},
		"NothingWasKnown":          {change: func(w world) { w.member(1).Data = "" }},
		"NotFormed":                {change: func(w world) { w.cluster.Status.ClusterID = "" }},
		"ItRunsAsWhoItWas":         {change: func(w world) { w.survey.asked[1] = Member{Version: "3.7.3", ID: 11, Leader: 10} }},
		"ItIsWrittenDownFirst":     {change: func(world) {}, do: replaceBegin, reason: "ReplacingMember"},
		"ThenItIsRemoved":          {change: func(w world) { w.member(1).Replacing = "new" }, do: replaceRemove, reason: "ReplacingMember"},
		"ThenAdded":                {change: func(w world) { w.member(1).Replacing = "new"; delete(w.known, 1) }, do: replaceAdd, reason: "ReplacingMember"},
		"ThenItHasToBegin":         {change: func(w world) { learner(w, "") }, reason: "ReplacingMember"},
		"ThenItIsPromoted":         {change: func(w world) { learner(w, "etcd-default-1") }, do: replacePromote, reason: "ReplacingMember"},
		"ThenItHasOneAddress":      {change: func(w world) { learner(w, "etcd-default-1"); w.known[1].IsLearner = false }, do: replaceSettle, reason: "ReplacingMember"},
		"ThenItIsRecorded":         {change: func(w world) { learner(w, ""); w.known[1] = listed(99, "etcd-default-1", false, one) }, reason: "ReplacingMember"},
		"RemovedByAPerson":         {change: func(w world) { delete(w.known, 1) }, do: replaceBegin, reason: "ReplacingMember"},
		"AddedByAPerson":           {change: func(w world) { w.known[1].ID = 99; w.survey.asked[1] = Member{Version: "3.7.3", ID: 99, Leader: 10} }, reason: "ReplacingMember"},
		"LostOnceMore":             {change: func(w world) { learner(w, "etcd-default-1"); w.members.Data[1] = "newer" }, do: replaceBegin, reason: "ReplacingMember"},
		"LostOnceMoreIsRemoved":    {change: func(w world) { learner(w, ""); w.member(1).ID = "63" }, do: replaceRemove, reason: "ReplacingMember"},
		"AnotherIsNotReady":        {change: func(w world) { w.members.ReadyOrdinals = []int{0} }, reason: "ReplacementWaits"},
		"AnotherDoesNotAnswer":     {change: func(w world) { w.survey.asked[2] = Member{} }, reason: "ReplacementWaits"},
		"AnotherHasNoLeader":       {change: func(w world) { w.survey.asked[2].Leader = 0 }, reason: "ReplacementWaits"},
		"AnotherIsOfSomebodyElse":  {change: func(w world) { w.known[3] = listed(13, "foreign", false, []string{"https://192.0.2.1:2380"}) }, reason: "ReplacementWaits"},
		"AnotherIsBeingReplaced":   {change: func(w world) { w.members.Data[2] = "new"; w.member(2).Replacing = "new"; w.survey.asked[2] = Member{} }, reason: "ReplacementWaits"},
		"AnotherIsLost":            {change: func(w world) { w.members.Data[2] = "new"; w.survey.asked[2] = Member{} }, reason: "ReplacementWaits"},
		"AnotherIsLostAndNoQuorum": {change: func(w world) { w.members.Data[2] = "new"; w.survey.asked[2] = Member{}; clear(w.known) }, reason: "DataLost", kind: reconcile.KindUser},
		"NoQuorum":                 {change: func(w world) { clear(w.known) }},
		"APersonBeganAnewFromOne": {change: func(w world) {
			w.members.Data[2] = "new"
			w.survey.asked[2] = Member{}
			delete(w.known, 1)
			delete(w.known, 2)
		}, do: replaceBegin, reason: "ReplacingMember"},
		"ItCouldStillBeginAnew": {change: func(w world) { w.members.Data[1] = "data-1"; w.known[1].PeerURLs = two }, do: replaceSettle},
	} {
		t.Run(name, func(t *testing.T) {
			s := &clusterScope{cluster: newCluster(), addresses: addresses, survey: &survey{asked: make([]Member, 3)}}
			s.cluster.Status.ClusterID = "c"
			s.members = component.Status{Replicas: 3, Ready: 2, ReadyOrdinals: []int{0, 2}, Data: []string{"data-0", "new", "data-2"}}
			w := world{s, map[int]*etcdserverpb.Member{}}
			for i := range 3 {
				m := s.member(i)
				m.ID, m.Data = fmt.Sprintf("%x", 10+i), fmt.Sprintf("data-%d", i)
				w.known[i] = listed(uint64(10+i), m.Name, false, []string{component.EtcdPeerURL(addresses, i)})
				if i != 1 {
					s.survey.asked[i] = Member{Version: "3.7.3", ID: uint64(10 + i), Leader: 10}
				}
			}
			tc.change(w)
			for _, i := range []int{0, 1, 2, 3} {
				if m := w.known[i]; m != nil {
					s.survey.known = append(s.survey.known, m)
				}
			}
			step, err := nextReplacement(s)
			if step.do != tc.do || step.do != replaceNothing && step.ordinal != 1 {
				t.Errorf("it does %+v, want %v with member 1", step, tc.do)
			}
			checkError(t, err, tc.reason, tc.kind)
		})
	}
}

func TestFormed(t *testing.T) {
	member := func(name string, learner bool) *etcdserverpb.Member {
		return &etcdserverpb.Member{Name: name, IsLearner: learner}
	}
	all := []*etcdserverpb.Member{member("a", false), member("b", false), member("c", false)}
	for name, tc := range map[string]struct {
		survey *survey
		want   bool
	}{
		"NotAsked":       {nil, false},
		"NoQuorum":       {&survey{}, false},
		"AllHaveJoined":  {&survey{known: all}, true},
		"OneHasNotBegun": {&survey{known: append(slices.Clone(all[:2]), member("", false))}, false},
		"OneIsALearner":  {&survey{known: append(slices.Clone(all[:2]), member("c", true))}, false},
		"OneIsMissing":   {&survey{known: all[:2]}, false},
	} {
		if got := tc.survey.formed(); got != tc.want {
			t.Errorf("%s: formed %v, want %v", name, got, tc.want)
		}
	}
}
