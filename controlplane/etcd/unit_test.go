package etcd

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

func TestPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		allowed []Candidate
		want    string
		reason  string
		kind    reconcile.Kind
		says    []string
	}{
		"TheOnlyOne":           {allowed: []Candidate{{"a", 3, 250, true}}, want: "a"},
		"TheOneWithTheFewest":  {allowed: []Candidate{{"a", 3, 250, true}, {"b", 2, 250, true}, {"c", 5, 250, true}}, want: "b"},
		"OfEqualOnesTheFirst":  {allowed: []Candidate{{"c", 2, 250, true}, {"b", 2, 250, true}, {"a", 3, 250, true}}, want: "b"},
		"NotAFullOne":          {allowed: []Candidate{{"a", 2, 2, true}, {"b", 9, 10, true}}, want: "b"},
		"NotAnOverfullOne":     {allowed: []Candidate{{"a", 0, -1, true}, {"b", 9, 10, true}}, want: "b"},
		"NotOneThatIsNotReady": {allowed: []Candidate{{"a", 0, 250, false}, {"b", 9, 250, true}}, want: "b"},
		"NoneExists": {
			reason: "NoEtcdCluster", kind: reconcile.KindUser, says: []string{"create one"},
		},
		"NoneIsReady": {
			allowed: []Candidate{{"b", 0, 250, false}, {"a", 0, 250, false}},
			reason:  "WaitingForEtcdCluster", kind: reconcile.KindWait, says: []string{"a, b"},
		},
		"AFullOneIsNotWaitedFor": {
			allowed: []Candidate{{"a", 2, 2, false}, {"b", 0, 250, false}},
			reason:  "WaitingForEtcdCluster", kind: reconcile.KindWait, says: []string{"EtcdCluster b to be ready"},
		},
		"AllAreFull": {
			allowed: []Candidate{{"b", 250, 250, true}, {"a", 10, 10, false}},
			reason:  "EtcdClustersFull", kind: reconcile.KindUser, says: []string{"a (10 of 10 tenants), b (250 of 250 tenants)", "maxTenants"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Place(tc.allowed)
			if got != tc.want {
				t.Errorf("Place = %q, want %q", got, tc.want)
			}
			checkError(t, err, tc.reason, tc.kind, tc.says...)
		})
	}
}

// checkError compares an error's properties; no reason means no error.
func checkError(t testing.TB, err error, reason string, kind reconcile.Kind, says ...string) {
	t.Helper()
	e := reconcile.As(err)
	if e == nil {
		if reason != "" {
			t.Errorf("no error, want %s", reason)
		}
		return
	}
	if e.Reason != reason || e.Kind != kind {
		t.Errorf("error %s of kind %d (%v), want %s of kind %d", e.Reason, e.Kind, err, reason, kind)
	}
	for _, part := range says {
		if !strings.Contains(e.Message, part) {
			t.Errorf("message %q, want it to say %q", e.Message, part)
		}
	}
}

func TestRangeOfATenant(t *testing.T) {
	for uid, want := range map[string][2]string{
		"a":                                    {"/a/", "/a0"},
		"a0":                                   {"/a0/", "/a00"},
		"4e7c9f6e-0f5c-4c2a-9f57-8d0f6f0f1a11": {"/4e7c9f6e-0f5c-4c2a-9f57-8d0f6f0f1a11/", "/4e7c9f6e-0f5c-4c2a-9f57-8d0f6f0f1a110"},
	} {
		if got := [2]string{Prefix(uid), rangeEnd(uid)}; got != want {
			t.Errorf("range of %s: %q, want %q", uid, got, want)
		}
	}
	// Every byte that may follow the prefix is in, and its neighbours are out.
	for b := range 256 {
		if key := "/a/" + string([]byte{byte(b)}); key < Prefix("a") || key >= rangeEnd("a") {
			t.Errorf("%q is out of the range", key)
		}
		if key := "/a" + string([]byte{byte(b)}) + "x"; b != '/' && key >= Prefix("a") && key < rangeEnd("a") {
			t.Errorf("%q is within the range", key)
		}
	}
}

func TestCheckUID(t *testing.T) {
	for uid, good := range map[string]bool{
		"4e7c9f6e-0f5c-4c2a-9f57-8d0f6f0f1a11": true, "a": true,
		"root": false, "": false, "a/b": false, "a-": false, "-a": false, "A": false, "marina:x": false, "a\n": false, "..": false,
	} {
		if err := checkUID(uid); (err == nil) != good {
			t.Errorf("checkUID(%q) = %v, want it accepted: %v", uid, err, good)
		}
	}
}

func TestCheckUpgrade(t *testing.T) {
	members := func(versions ...string) (all []Member) {
		for _, v := range versions {
			all = append(all, Member{Version: v})
		}
		return all
	}
	for name, tc := range map[string]struct {
		running []Member
		wanted  string
		reason  string
		says    string
	}{
		"TheSame":             {running: members("3.7.3", "3.7.3", "3.7.3"), wanted: "3.7.3"},
		"TheNextPatch":        {running: members("3.7.3"), wanted: "3.7.10"},
		"ThePatchBefore":      {running: members("3.7.10"), wanted: "3.7.3"},
		"TheNextMinor":        {running: members("3.6.13", "3.7.0", ""), wanted: "3.7.3"},
		"NobodyAnswers":       {running: members("", "", ""), wanted: "3.9.0"},
		"OneMinorTooFar":      {running: members("3.6.13"), wanted: "3.8.0", reason: "VersionSkipped", says: "3.7 first"},
		"HalfWay":             {running: members("3.7.0", "3.6.13"), wanted: "3.8.0", reason: "VersionSkipped", says: "3.7 first"},
		"BackAMinor":          {running: members("3.7.3"), wanted: "3.6.13", reason: "VersionTooOld", says: "to a 3.7"},
		"AnotherMajor":        {running: members("3.7.3"), wanted: "4.0.0", reason: "VersionSkipped"},
		"SomethingElse":       {running: members("3.7.3"), wanted: "latest", reason: "InvalidVersion"},
		"ItRunsSomethingElse": {running: members("latest"), wanted: "3.7.3"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, checkUpgrade(tc.running, tc.wanted), tc.reason, reconcile.KindUser, tc.says)
		})
	}
}

func TestUnavailable(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"NoMemberListens":    {status.Error(codes.Unavailable, "connection refused"), true},
		"NoLeader":           {rpctypes.ErrNoLeader, true},
		"TimedOutThere":      {rpctypes.ErrTimeout, true},
		"LostItsLeader":      {rpctypes.ErrTimeoutDueToLeaderFail, true},
		"TimedOutHere":       {context.DeadlineExceeded, true},
		"TimedOutInGRPC":     {status.Error(codes.DeadlineExceeded, "slow"), true},
		"Refused":            {rpctypes.ErrPermissionDenied, false},
		"TooManyRequests":    {rpctypes.ErrTooManyRequests, false},
		"PermissionsChanged": {rpctypes.ErrAuthOldRevision, false},
		"TheManagerStops":    {context.Canceled, false},
		"SomethingElse":      {errors.New("else"), false},
	} {
		if got := unavailable(tc.err); got != tc.want {
			t.Errorf("%s: unavailable(%v) = %v, want %v", name, tc.err, got, tc.want)
		}
	}
}

func TestOutageSaysWhoIsDown(t *testing.T) {
	up, down := Member{Version: "3.7.3"}, Member{}
	for name, tc := range map[string]struct {
		members []Member
		want    string
	}{
		"TwoDown": {[]Member{up, down, down},
			`etcd cluster "default" has no quorum (2 of 3 members do not answer): deletion waits and goes on by itself when it is back`},
		"OneDown": {[]Member{up, up, down},
			`etcd cluster "default" does not answer in time (1 of 3 members do not answer): deletion waits and goes on by itself when it is back`},
		"NoneDown": {[]Member{up, up, up},
			`etcd cluster "default" does not answer in time, though all members run (slow): deletion waits and goes on by itself when it is back`},
	} {
		e := reconcile.As(outage("default", "deletion", tc.members, errors.New("slow")))
		if e.Message != tc.want || e.Kind != reconcile.KindWait || e.After == 0 {
			t.Errorf("%s: %+v\nwant to wait, with a time to look again, and the message\n%s", name, e, tc.want)
		}
	}
}

func TestReadiness(t *testing.T) {
	for name, tc := range map[string]struct {
		members component.Status
		want    string
	}{
		"OneMissing":   {component.Status{Replicas: 3, Ready: 2, ReadyOrdinals: []int{0, 2}, Message: "exit status 1"}, "2 of 3 members are ready: etcd-default-1: exit status 1"},
		"NothingKnown": {component.Status{Replicas: 3, Ready: 1, ReadyOrdinals: []int{2}}, "1 of 3 members are ready: etcd-default-0, etcd-default-1: not ready yet"},
		"Changing":     {component.Status{Replicas: 3, Ready: 3, Updated: 1, ReadyOrdinals: []int{0, 1, 2}}, "all 3 members are ready, 1 run what was applied last"},
	} {
		if got := readiness(newCluster(), tc.members); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestTenantsPlacedNamesFive(t *testing.T) {
	var placed []v1alpha1.EtcdTenant
	for _, uid := range []string{"g", "a", "f", "b", "e", "c", "d"} {
		placed = append(placed, *newTenant(uid))
	}
	checkError(t, tenantsPlaced(placed), "TenantsPlaced", reconcile.KindWait,
		"tenants are still placed here (7): marina-a/tenant, marina-b/tenant, marina-c/tenant, marina-d/tenant, marina-e/tenant and 2 more")
	checkError(t, tenantsPlaced(placed[:1]), "TenantsPlaced", reconcile.KindWait, "marina-g/tenant: the deletion")
	checkError(t, tenantsPlaced(nil), "", 0)
}

func TestClusterOf(t *testing.T) {
	got := map[string]bool{}
	for _, c := range [][2]string{{"marina-system", "etcd-default"}, {"marina-system", "snapshot-default"}, {"marina-system", "etcd-"}, {"marina-system", "kube-apiserver"}, {"marina-x", "etcd-default"}} {
		name, ok := clusterOf(c[0], c[1])
		got[c[0]+"/"+c[1]] = ok && name == "default"
	}
	want := map[string]bool{"marina-system/etcd-default": true, "marina-system/snapshot-default": true, "marina-system/etcd-": false, "marina-system/kube-apiserver": false, "marina-x/etcd-default": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("whose component it is (-want +got):\n%s", diff)
	}
}
