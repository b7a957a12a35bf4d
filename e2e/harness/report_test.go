package harness

import (
	"errors"
	"testing"
	"time"
)

// day is an arbitrary instant.
var day = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// requests are written down as start, end and whether they succeeded, in seconds
// after day.
func requests(all ...any) (list []Request) {
	at := func(seconds any) time.Time { return day.Add(time.Duration(seconds.(float64) * float64(time.Second))) }
	for i := 0; i < len(all); i += 3 {
		q := Request{Start: at(all[i]), End: at(all[i+1])}
		if !all[i+2].(bool) {
			q.Err = errors.New("refused")
		}
		list = append(list, q)
	}
	return list
}

func TestReport(t *testing.T) {
	// The mark is ten seconds after day.
	marked := day.Add(10 * time.Second)
	cases := map[string]struct {
		requests    []Request
		failed      int
		lastFailure time.Duration
		gap         time.Duration
		within3s    bool
		late        bool // begun within 3 s, but known later
		succeeded   int
	}{
		"NothingAsked": {within3s: true},
		"NothingFailed": {
			requests: requests(9.0, 9.5, true, 10.0, 10.5, true, 11.0, 11.5, true),
			gap:      time.Second, within3s: true, succeeded: 2,
		},
		"AFailureOfARequestThatWasUnderWay": {
			requests: requests(9.0, 9.5, true, 9.9, 10.1, false, 11.0, 11.5, true),
			failed:   1, lastFailure: 100 * time.Millisecond, gap: 2 * time.Second, within3s: true, succeeded: 1,
		},
		"AFailureBeforeTheMarkIsOfAnotherCause": {
			requests: requests(9.0, 9.5, false, 10.0, 10.5, true),
			failed:   1, gap: 1500 * time.Millisecond, succeeded: 1,
		},
		"WhatBeganInTimeButEndedLateIsLate": {
			requests: requests(10.1, 20.1, false, 10.2, 10.3, true),
			failed:   1, lastFailure: 10100 * time.Millisecond, gap: 9800 * time.Millisecond, late: true, succeeded: 1,
		},
		"AnAnswerThatOvertakesAnotherCounts": {
			// Ends come in another order than starts: the gap is between answers.
			requests: requests(11.0, 11.1, true, 10.0, 13.0, true, 12.0, 12.1, true),
			gap:      1100 * time.Millisecond, within3s: true, succeeded: 3,
		},
		"NothingSucceedsAnyMore": {
			requests: requests(9.0, 9.1, true, 10.0, 12.0, false, 11.0, 13.0, false),
			failed:   2, lastFailure: 3 * time.Second, gap: 3900 * time.Millisecond, within3s: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := Report{Requests: tc.requests, Marked: marked}
			if got := len(r.Failed()); got != tc.failed {
				t.Errorf("%d failures, want %d", got, tc.failed)
			}
			if _, got := r.LastFailure(); got != tc.lastFailure {
				t.Errorf("the last failure was known %s after the mark, want %s", got, tc.lastFailure)
			}
			if got := r.LongestGap(); got != tc.gap {
				t.Errorf("longest gap %s, want %s", got, tc.gap)
			}
			if err := r.Within(3 * time.Second); (err == nil) != tc.within3s {
				t.Errorf("all failures within 3 s after the mark: %v, want %v", err, tc.within3s)
			}
			if err := r.BegunWithin(3 * time.Second); (err == nil) != (tc.within3s || tc.late) {
				t.Errorf("all failed requests begun within 3 s after the mark: %v, want %v", err, tc.within3s || tc.late)
			}
			if got := r.Succeeded(marked); got != tc.succeeded {
				t.Errorf("%d successes from the mark on, want %d", got, tc.succeeded)
			}
		})
	}
}
