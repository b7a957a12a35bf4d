package chart

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// reconcilers are the controllers of a manager.
var reconcilers = []string{"cluster", "kubernetesrelease", "hostedcontrolplane", "etcdcluster", "etcdtenant"}

// awaitRest waits until each controller has made a pass and none has anything to do.
func (m *manager) awaitRest(t testing.TB, s *server) {
	t.Helper()
	token := s.metricsReader(t)
	await(t, "a manager that rests", func(ctx context.Context) error { return m.rests(ctx, token) })
}

// rests is nil when each controller has made a pass and none has anything to do.
func (m *manager) rests(ctx context.Context, token string) error {
	_, text, err := get(ctx, "https://"+m.metrics+"/metrics", token)
	if err != nil {
		return err
	}
	for _, name := range reconcilers {
		if passes := sum(text, "controller_runtime_reconcile_total", `controller="`+name+`"`); passes == 0 {
			return fmt.Errorf("controller %s has made no pass", name)
		}
		if working := sum(text, "controller_runtime_active_workers", `controller="`+name+`"`) + sum(text, "workqueue_depth", `name="`+name+`"`); working > 0 {
			return fmt.Errorf("controller %s has %v to do", name, working)
		}
	}
	return nil
}

// sum is the sum of the samples of a metric that have a label.
func sum(text, metric, label string) (total float64) {
	for line := range strings.Lines(text) {
		if labels, value, ok := strings.Cut(strings.TrimSpace(line), "} "); ok && strings.HasPrefix(labels, metric+"{") && strings.Contains(labels, label) {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				total += v
			}
		}
	}
	return total
}
