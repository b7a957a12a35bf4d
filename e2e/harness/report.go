package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Request is one request of a Prober.
type Request struct {
	Start, End time.Time
	// Wrote is the name of the ConfigMap that it was to create; empty for a read.
	Wrote string
	Err   error
}

// Report is what a Prober has found.
type Report struct {
	// Requests that have ended, in the order of their ends.
	Requests []Request
	// Marked is the instant that failures are counted from.
	Marked time.Time

	prober string
}

// Failed are the requests that have failed.
func (r Report) Failed() []Request {
	return slices.DeleteFunc(slices.Clone(r.Requests), func(q Request) bool { return q.Err == nil })
}

// LastFailure is how long after the mark the last request began that failed, and
// how long after it the last client knew; zero when nothing has failed.
func (r Report) LastFailure() (began, known time.Duration) {
	for _, q := range r.Failed() {
		began, known = max(began, q.Start.Sub(r.Marked)), max(known, q.End.Sub(r.Marked))
	}
	return began, known
}

// LongestGap is the longest time in which no request succeeded, between the first
// request's start and the last one's end.
func (r Report) LongestGap() (gap time.Duration) {
	if len(r.Requests) == 0 {
		return 0
	}
	first, last := r.Requests[0].Start, r.Requests[0].End
	var ends []time.Time
	for _, q := range r.Requests {
		if q.Start.Before(first) {
			first = q.Start
		}
		if q.End.After(last) {
			last = q.End
		}
		if q.Err == nil {
			ends = append(ends, q.End)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, end := range append(ends, last) {
		gap = max(gap, end.Sub(first))
		first = end
	}
	return gap
}

// Succeeded counts the requests that began at a time or later and have succeeded.
func (r Report) Succeeded(from time.Time) (count int) {
	for _, q := range r.Requests {
		if q.Err == nil && !q.Start.Before(from) {
			count++
		}
	}
	return count
}

// Within is nil when every failure lies in the given time after the mark, from the
// mark to the instant at which the client knew; else it tells which do not.
func (r Report) Within(limit time.Duration) error {
	return r.outside(limit, func(q Request) time.Time { return q.End })
}

// BegunWithin is Within for the instant at which a failed request began, for what is
// answered late: requests that begin after the limit succeed.
func (r Report) BegunWithin(limit time.Duration) error {
	return r.outside(limit, func(q Request) time.Time { return q.Start })
}

func (r Report) outside(limit time.Duration, at func(Request) time.Time) error {
	var outside []error
	for _, q := range r.Failed() {
		if q.End.Before(r.Marked) || at(q).Sub(r.Marked) > limit {
			outside = append(outside, fmt.Errorf("from %s to %s after the mark: %w",
				q.Start.Sub(r.Marked).Round(time.Millisecond), q.End.Sub(r.Marked).Round(time.Millisecond), q.Err))
		}
	}
	if len(outside) == 0 {
		return nil
	}
	return fmt.Errorf("%d requests failed at other times than within %s after the mark: %w", len(outside), limit, errors.Join(outside...))
}

// Lost are the objects whose creation was confirmed and that are not there.
func (r Report) Lost(ctx context.Context, api kubernetes.Interface) (lost []string, err error) {
	list, err := api.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{LabelSelector: labelProber + "=" + r.prober})
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for i := range list.Items {
		there[list.Items[i].Name] = true
	}
	for _, q := range r.Requests {
		if q.Wrote != "" && q.Err == nil && !there[q.Wrote] {
			lost = append(lost, q.Wrote)
		}
	}
	return lost, nil
}

// String is one line for people.
func (r Report) String() string {
	text := fmt.Sprintf("%d requests, %d failures", len(r.Requests), len(r.Failed()))
	if len(r.Failed()) > 0 && !r.Marked.IsZero() {
		began, known := r.LastFailure()
		text += fmt.Sprintf(", the last begun %.2f s and known %.2f s after the mark", began.Seconds(), known.Seconds())
	}
	return text + fmt.Sprintf(", longest gap %.2f s", r.LongestGap().Seconds())
}
