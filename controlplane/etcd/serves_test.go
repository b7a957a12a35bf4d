package etcd

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/marina-dev/marina/controlplane/component"
)

// TestExpendable is about member 1, whose host has nothing of.
func TestExpendable(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*clusterScope)
		want   bool
	}{
		"AllOthersAreWell":    {change: func(*clusterScope) {}, want: true},
		"NobodyIsDown":        {change: func(s *clusterScope) { s.members.ReadyOrdinals = []int{0, 1, 2}; s.survey.asked[1] = s.survey.asked[2] }},
		"ItStillAnswers":      {change: func(s *clusterScope) { s.survey.asked[1] = Member{Version: "3.7.3", ID: 11} }},
		"ItTurnsUsAway":       {change: func(s *clusterScope) { s.survey.asked[1].Refusal = errExpired }},
		"ItWasNotAsked":       {change: func(s *clusterScope) { s.everybody = false }},
		"NoQuorum":            {change: func(s *clusterScope) { s.survey.known = nil }},
		"NotFormed":           {change: func(s *clusterScope) { s.cluster.Status.ClusterID = "" }},
		"ItNeverHadData":      {change: func(s *clusterScope) { s.member(1).Data = "" }},
		"AnotherIsDown":       {change: func(s *clusterScope) { s.members.ReadyOrdinals = []int{0}; s.survey.asked[2] = Member{} }},
		"AnotherHasNoLeader":  {change: func(s *clusterScope) { s.survey.asked[2].Leader = 0 }},
		"AnotherHasNoVote":    {change: func(s *clusterScope) { s.survey.asked[2].Learner = true }},
		"AnotherIsReplaced":   {change: func(s *clusterScope) { s.member(2).Replacing = "new" }},
		"ItIsReplacedAlready": {change: func(s *clusterScope) { s.member(1).Replacing = "new" }},
		"SomebodyUnknownHasVote": {change: func(s *clusterScope) {
			s.survey.known = append(s.survey.known, &etcdserverpb.Member{ID: 99, Name: "foreign"})
		}},
	} {
		s := healthyScope()
		s.cluster.Status.ClusterID, s.everybody = "c", true
		s.members.ReadyOrdinals, s.survey.asked[1] = []int{0, 2}, Member{}
		for i := range 3 {
			at := component.HostPort{Host: fmt.Sprintf("127.0.0.%d", i), Port: 2380}
			s.addresses.Replicas = append(s.addresses.Replicas, map[string]component.HostPort{"peer": at})
			m := s.member(i)
			m.ID, m.Data = fmt.Sprintf("%x", 10+i), fmt.Sprintf("data-%d", i)
			s.survey.known = append(s.survey.known, &etcdserverpb.Member{ID: uint64(10 + i), Name: m.Name, PeerURLs: []string{component.EtcdPeerURL(s.addresses, i)}})
		}
		tc.change(s)
		if got := s.expendable(); (len(got) == 1 && got[0] == 1) != tc.want || len(got) > 1 {
			t.Errorf("%s: %v, want member 1: %v", name, got, tc.want)
		}
	}
}

// errExpired is what a member says that has read a CA which has expired since.
var errExpired = errors.New("remote error: tls: expired certificate")

func TestWhoServes(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*clusterScope)
		want   map[int]bool
	}{
		"All":                   {func(*clusterScope) {}, map[int]bool{0: true, 1: true, 2: true}},
		"NobodyWasAsked":        {func(s *clusterScope) { s.survey = nil }, map[int]bool{0: false, 1: false, 2: false}},
		"TheyDoNotAgree":        {func(s *clusterScope) { s.survey.known = nil }, map[int]bool{0: false, 1: false, 2: false}},
		"OneIsDeadAndReady":     {func(s *clusterScope) { s.survey.asked[1] = Member{} }, map[int]bool{0: true, 1: false, 2: true}},
		"OneIsALearner":         {func(s *clusterScope) { s.survey.asked[1].Learner = true }, map[int]bool{0: true, 1: false, 2: true}},
		"OneHasNoLeader":        {func(s *clusterScope) { s.survey.asked[1].Leader = 0 }, map[int]bool{0: true, 1: false, 2: true}},
		"OneWasNotAsked":        {func(s *clusterScope) { s.members.ReadyOrdinals = []int{0, 2}; s.survey.asked[1] = Member{} }, map[int]bool{0: true, 2: true}},
		"OneTurnsUsAway":        {func(s *clusterScope) { s.survey.asked[1] = Member{Refusal: errExpired} }, map[int]bool{0: true, 2: true}},
		"OneServesAndIsNotSeen": {func(s *clusterScope) { s.members.ReadyOrdinals, s.everybody = []int{0, 2}, true }, map[int]bool{0: true, 1: true, 2: true}},
	} {
		s := healthyScope()
		s.survey.known = []*etcdserverpb.Member{{ID: 10}, {ID: 11}, {ID: 12}}
		tc.change(s)
		if diff := cmp.Diff(tc.want, s.serves()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
