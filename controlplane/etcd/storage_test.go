package etcd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestAStoreThatIsFullTakesWritesAgain fills a store until it refuses writes, deletes
// what is in it, and leaves the rest to the controller.
func TestAStoreThatIsFullTakesWritesAgain(t *testing.T) {
	w := ownWorld(t, func(c *v1alpha1.EtcdCluster) { c.Spec.StorageQuota = resource.MustParse("64Mi") })
	w.until(t, whole)
	// Nobody tells that a store has filled up: each pass is a minute later.
	passes := time.Duration(0)
	w.reconciler.Now = func() time.Time { return time.Now().Add(passes * time.Minute) }
	until := func(so func(*v1alpha1.EtcdCluster) error) {
		t.Helper()
		w.until(t, func(c *v1alpha1.EtcdCluster) error { passes++; return so(c) })
	}
	root := w.root(t)
	value, n := strings.Repeat("x", 1<<20), 0
	if err := eventually(func() error {
		n++
		_, err := root.Put(soon(t), fmt.Sprintf("/full/%d", n), value)
		if errors.Is(err, rpctypes.ErrNoSpace) {
			return nil
		}
		return fmt.Errorf("after %d writes: %w", n, err)
	}); err != nil {
		t.Fatal(err)
	}
	until(func(c *v1alpha1.EtcdCluster) error {
		// Who is refused is not told whether the others heard of the alarm.
		_, err := root.Put(soon(t), fmt.Sprintf("/full/%d", n), value)
		if !errors.Is(err, rpctypes.ErrNoSpace) {
			return fmt.Errorf("another write: %w", err)
		}
		// Reading and deleting go on.
		return errors.Join(readyError(c.Status.Conditions), want(c.Status.Conditions, "StorageAvailable", "False", "NoSpace", "of 64Mi are taken"))
	})
	if takesTenants(w.cluster()) {
		t.Error("tenants are still placed on it")
	}

	deleted, err := root.Delete(soon(t), "/full/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	// The members' own compaction takes five minutes.
	if _, err := root.Compact(soon(t), deleted.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	until(func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "StorageAvailable", "True", "AsExpected", "")
	})
	// A member that had grown less than the one that raised the alarm need not be.
	began, says := map[time.Time]bool{}, []string{"AlarmDisarmed"}
	for _, m := range w.cluster().Status.Members {
		if m.LastDefragmented == nil {
			continue
		}
		if began[m.LastDefragmented.Time] {
			t.Errorf("%s was written anew at %v together with another: want one after the other", m.Name, m.LastDefragmented)
		}
		began[m.LastDefragmented.Time] = true
		says = append(says, "Defragmented "+m.Name)
	}
	if len(began) == 0 {
		t.Error("no member was written anew")
	}
	const nineTenths = 64 << 20 / 10 * 9
	for i, endpoint := range root.Endpoints() {
		status, err := root.Status(soon(t), endpoint)
		if err != nil {
			t.Fatal(err)
		}
		if status.DbSize > nineTenths {
			t.Errorf("member %d takes %d bytes, want at most %d", i, status.DbSize, nineTenths)
		}
	}
	if _, err := root.Put(soon(t), "/full/again", value); err != nil {
		t.Errorf("writing again: %v", err)
	}
	// A database may be smaller before etcd has said so, and then it is told.
	if err := eventually(func() error {
		if _, runs := w.reconciler.defragmenting.Load(w.cluster().UID); runs {
			return errors.New("it runs")
		}
		return nil
	}); err != nil {
		t.Fatalf("the last defragmentation: %v", err)
	}
	events := strings.Join(told(w.events), "\n")
	for _, says := range says {
		if !strings.Contains(events, says) {
			t.Errorf("Events %q, want %q among them", events, says)
		}
	}
}

func TestWorthIt(t *testing.T) {
	const mi, quota = 1 << 20, 8192 << 20
	for name, tc := range map[string]struct {
		size, inUse int64
		problems    []string
		want        bool
	}{
		"Half":                      {size: 1000 * mi, inUse: 500 * mi},
		"MoreThanHalf":              {size: 1000 * mi, inUse: 499 * mi, want: true},
		"Small":                     {size: 127 * mi, inUse: mi},
		"LargestSmall":              {size: 128 * mi, inUse: mi, want: true},
		"NearTheQuota":              {size: 6145 * mi, inUse: 4600 * mi, want: true},
		"NearTheQuotaAndInUse":      {size: 6145 * mi, inUse: 4700 * mi},
		"NotNearTheQuota":           {size: 6144 * mi, inUse: 4600 * mi},
		"Full":                      {size: 8000 * mi, inUse: 7499 * mi, problems: []string{"memberID:1 alarm:NOSPACE"}, want: true},
		"FullAndInUse":              {size: 8000 * mi, inUse: 7500 * mi, problems: []string{"memberID:1 alarm:NOSPACE"}},
		"SmallAndFull":              {size: 64 * mi, inUse: mi, problems: []string{"memberID:1 alarm:NOSPACE"}, want: true},
		"AnotherAlarmIsNoReason":    {size: 64 * mi, inUse: mi, problems: []string{"memberID:1 alarm:CORRUPT"}},
		"NoLeaderIsNoAlarm":         {size: 64 * mi, inUse: mi, problems: []string{"etcdserver: no leader"}},
		"ItKnowsNothingOfItsStore":  {},
		"AlarmsAreOfTheWholeStore":  {size: 64 * mi, inUse: mi, problems: []string{"etcdserver: no leader", "memberID:2 alarm:NOSPACE"}, want: true},
		"AlarmWithoutAnythingToGet": {size: 64 * mi, inUse: 60 * mi, problems: []string{"memberID:1 alarm:NOSPACE"}},
	} {
		m := Member{Version: "3.7.3", Size: tc.size, InUse: tc.inUse, Quota: quota, Problems: tc.problems}
		if got := worthIt(m); got != tc.want {
			t.Errorf("%s: worth it: %v, want %v", name, got, tc.want)
		}
	}
}

func TestFragmented(t *testing.T) {
	const loose, tight = 1, 1 << 30
	at := func(before time.Duration) *metav1.Time { return &metav1.Time{Time: day0.Add(-before)} }
	for name, tc := range map[string]struct {
		inUse  [3]int64
		change func(*clusterScope)
		want   int // -1 for none
	}{
		"None":                  {inUse: [3]int64{tight, tight, tight}, want: -1},
		"TheFirst":              {inUse: [3]int64{tight, loose, loose}, want: 1},
		"NotTheLeader":          {inUse: [3]int64{loose, tight, loose}, want: 2},
		"TheLeaderLast":         {inUse: [3]int64{loose, tight, tight}, want: 0},
		"NotAgainWithinTheHour": {inUse: [3]int64{tight, loose, tight}, change: func(s *clusterScope) { s.member(1).LastDefragmented = at(59 * time.Minute) }, want: -1},
		"AgainAfterAnHour":      {inUse: [3]int64{tight, loose, tight}, change: func(s *clusterScope) { s.member(1).LastDefragmented = at(60 * time.Minute) }, want: 1},
		"AgainSoonWhenFull": {inUse: [3]int64{tight, loose, tight}, change: func(s *clusterScope) {
			s.full()
			s.member(0).LastDefragmented = at(4 * time.Minute)
			s.member(1).LastDefragmented = at(5 * time.Minute)
			s.member(2).LastDefragmented = at(4 * time.Minute)
		}, want: 1},
		"NotAtOnceWhenFull": {inUse: [3]int64{tight, loose, tight}, change: func(s *clusterScope) {
			s.full()
			for i := range s.survey.asked {
				s.member(i).LastDefragmented = at(5*time.Minute - time.Second)
			}
		}, want: -1},
		"NotWhileOneIsMissing":    {inUse: [3]int64{tight, loose, tight}, change: func(s *clusterScope) { s.members.ReadyOrdinals = []int{0, 1} }, want: -1},
		"NotWhileOneIsSilent":     {inUse: [3]int64{tight, loose, tight}, change: func(s *clusterScope) { s.survey.asked[2] = Member{} }, want: -1},
		"NotWhileThereIsALearner": {inUse: [3]int64{tight, loose, tight}, change: func(s *clusterScope) { s.survey.asked[2].Learner = true }, want: -1},
		"FullAndOneKnowsNothingOfWhatItHasFreed": {inUse: [3]int64{tight, loose, loose}, change: func(s *clusterScope) {
			s.full()
			s.member(1).LastDefragmented = at(time.Minute)
			s.member(2).LastDefragmented = at(time.Minute)
		}, want: 0},
		"NotWithoutHavingAsked": {change: func(s *clusterScope) { s.survey = nil }, want: -1},
	} {
		s := healthyScope()
		for i := range s.survey.asked {
			s.survey.asked[i].Size, s.survey.asked[i].InUse, s.survey.asked[i].Quota = tight, tc.inUse[i], 8*tight
		}
		if tc.change != nil {
			tc.change(s)
		}
		got, ok := fragmented(s, day0)
		if !ok {
			got = -1
		}
		if got != tc.want {
			t.Errorf("%s: member %d, want %d", name, got, tc.want)
		}
	}
}

// healthyScope is a pass over three members that are well; the first leads.
func healthyScope() *clusterScope {
	s := &clusterScope{cluster: newCluster(), survey: &survey{}}
	s.members = component.Status{Replicas: 3, Ready: 3, Updated: 3, ReadyOrdinals: []int{0, 1, 2}}
	for i := range 3 {
		s.survey.asked = append(s.survey.asked, Member{Version: "3.7.3", ID: uint64(10 + i), Leader: 10})
	}
	return s
}

// full has all members know that the store refuses writes.
func (s *clusterScope) full() {
	for i := range s.survey.asked {
		s.survey.asked[i].Problems = []string{"memberID:1 alarm:NOSPACE"}
	}
}

func TestRoughly(t *testing.T) {
	for name, tc := range map[string]struct{ written, is, want int64 }{
		"First":    {0, 7, 7},
		"Hardly":   {500, 509, 500},
		"Less":     {500, 491, 500},
		"More":     {500, 510, 510},
		"MuchLess": {500, 100, 100},
	} {
		if got := roughly(tc.written, tc.is, 1000); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
