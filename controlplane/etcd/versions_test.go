package etcd

import (
	"testing"

	"github.com/marina-dev/marina/pkg/reconcile"
)

func TestMayRun(t *testing.T) {
	for name, tc := range map[string]struct {
		change     func(*clusterScope)
		have, want string
		reason     string
		kind       reconcile.Kind
		says       string
	}{
		"ThePatch":       {have: "3.7.3", want: "3.7.9"},
		"ThePatchBefore": {have: "3.7.3", want: "3.7.1"},
		"ThePatchIsMaybeTheCure": {have: "3.7.2", want: "3.7.3",
			change: func(s *clusterScope) { s.members.ReadyOrdinals, s.survey.asked[2] = []int{0}, Member{} }},
		"TheNextMinor": {have: "3.7.3", want: "3.8.0"},
		"OneTooFar":    {have: "3.7.3", want: "3.9.0", reason: "VersionSkipped", kind: reconcile.KindUser, says: "3.8 first"},
		"Back":         {have: "3.7.3", want: "3.6.13", reason: "VersionTooOld", kind: reconcile.KindUser},
		"OneIsNotReady": {have: "3.7.3", want: "3.8.0", reason: "UpgradeWaits", says: "from etcd 3.7.3 to 3.8.0 when all of them are healthy and run 3.7.3: etcd-default-1",
			change: func(s *clusterScope) { s.members.ReadyOrdinals = []int{0, 2} }},
		"OneDoesNotAnswer": {have: "3.7.3", want: "3.8.0", reason: "UpgradeWaits", says: "etcd-default-2",
			change: func(s *clusterScope) { s.survey.asked[2] = Member{} }},
		"OneIsALearner": {have: "3.7.3", want: "3.8.0", reason: "UpgradeWaits", says: "etcd-default-2",
			change: func(s *clusterScope) { s.survey.asked[2].Learner = true }},
		"OneIsStillOlder": {have: "3.7.3", want: "3.8.0", reason: "VersionSkipped", kind: reconcile.KindUser, says: "3.7 first",
			change: func(s *clusterScope) { s.survey.asked[2].Version = "3.6.13" }},
		"NobodyWasAsked": {have: "3.7.3", want: "3.8.0", reason: "UpgradeWaits", says: "etcd-default-0, etcd-default-1, etcd-default-2",
			change: func(s *clusterScope) { s.survey = nil }},
		"NobodyAnswersButTheHostSeesThem": {have: "3.7.3", want: "3.8.0", reason: "UpgradeWaits",
			change: func(s *clusterScope) { clear(s.survey.asked) }},
		// A version that does not exist has taken all of them down when the machine
		// began anew: nothing else would bring them back.
		"NothingServes": {have: "3.8.99", want: "3.7.3",
			change: func(s *clusterScope) { clear(s.survey.asked); s.members.Ready, s.members.ReadyOrdinals = 0, nil }},
		// The member that was told to run the wrong one is down.
		"BackFromAMistake": {have: "3.8.99", want: "3.7.3",
			change: func(s *clusterScope) { s.survey.asked[2] = Member{}; s.members.ReadyOrdinals = []int{0, 1} }},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthyScope()
			if tc.change != nil {
				tc.change(s)
			}
			checkError(t, mayRun(s, tc.have, tc.want), tc.reason, tc.kind, tc.says)
		})
	}
}

func TestVersionBefore(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*clusterScope)
		want   string
	}{
		"TheSpecWasTakenUp":  {func(s *clusterScope) { s.cluster.Status.ObservedGeneration = 1 }, "3.9.0"},
		"NothingRuns":        {func(s *clusterScope) { s.survey = nil }, "3.9.0"},
		"NobodyAnswers":      {func(s *clusterScope) { clear(s.survey.asked) }, "3.9.0"},
		"WhatMembersRun":     {func(*clusterScope) {}, "3.7.3"},
		"TheNewestOfThem":    {func(s *clusterScope) { s.survey.asked[1].Version = "3.8.0" }, "3.8.0"},
		"AsNumbersNotAsText": {func(s *clusterScope) { s.survey.asked[1].Version = "3.7.10" }, "3.7.10"},
	} {
		s := healthyScope()
		s.cluster.Spec.Version = "3.9.0"
		tc.change(s)
		if got := s.versionBefore(); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
