package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"
)

func TestTextLog(t *testing.T) {
	cases := map[string]struct {
		verbosity int
		log       func(*slog.Logger)
		want      string // after the time
	}{
		"Short": {
			log:  func(l *slog.Logger) { l.Info("started", "pid", 7) },
			want: "INFO  started pid=7",
		},
		"Quoted": {
			log:  func(l *slog.Logger) { l.Error("failed", "error", errors.New("no such file")) },
			want: `ERROR failed error="no such file"`,
		},
		"NoAttributes": {
			log:  func(l *slog.Logger) { l.Warn("beware") },
			want: "WARN  beware",
		},
		"Derived": {
			log:  func(l *slog.Logger) { l.With("host", "management").WithGroup("g").Info("hello", "a", 1) },
			want: "INFO  hello host=management g.a=1",
		},
		"DetailIsLeftOut": {
			log: func(l *slog.Logger) { l.Debug("detail") },
		},
		"UnlessWanted": {
			verbosity: 4,
			log:       func(l *slog.Logger) { l.Debug("detail") },
			want:      "DEBUG detail",
		},
		"APassOfAController": {
			log: func(l *slog.Logger) {
				logger := logr.FromSlogHandler(l.Handler()).WithValues("controller", "cluster", "controllerGroup", "marina.dev", "controllerKind", "Cluster")
				logger = logger.WithValues("Cluster", klog.KRef("default", "shop")).WithValues("namespace", "default", "name", "shop")
				logger.WithValues("reconcileID", "1f").Info("accepted", "version", "1.37.1-1")
			},
			want: "INFO  accepted controller=cluster Cluster=default/shop version=1.37.1-1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			tc.log(New(&out, Text, tc.verbosity))
			if tc.want == "" {
				if out.Len() > 0 {
					t.Errorf("logged %q, want nothing", out.String())
				}
				return
			}
			if want := regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} ` + regexp.QuoteMeta(tc.want) + "\n$"); !want.MatchString(out.String()) {
				t.Errorf("logged %q, want a time and %q", out.String(), tc.want)
			}
		})
	}
}

func TestLibrariesAreQuiet(t *testing.T) {
	namespaceTerminates := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "shop", errors.New("it is being terminated"))
	namespaceTerminates.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	namespaceGone := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop")
	notAllowed := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "shop", errors.New("no rights"))
	const rejectedEvent = "Server rejected event (will not retry!)"
	cases := map[string]struct {
		verbosity int
		log       func(logr.Logger)
		logged    bool
	}{
		"Information":                 {log: func(l logr.Logger) { l.Info("Starting workers") }},
		"InformationIsWanted":         {verbosity: 4, log: func(l logr.Logger) { l.Info("Starting workers") }, logged: true},
		"AnError":                     {log: func(l logr.Logger) { l.Error(errors.New("broken"), "Reconciler error") }, logged: true},
		"AnErrorOfAStop":              {log: func(l logr.Logger) { l.Error(fmt.Errorf("writing: %w", context.Canceled), "Reconciler error") }},
		"AnEventAtTheEndOfANamespace": {log: func(l logr.Logger) { l.Error(namespaceTerminates, rejectedEvent, "event", struct{}{}) }},
		"AnEventAfterIt":              {log: func(l logr.Logger) { l.Error(namespaceGone, rejectedEvent, "event", struct{}{}) }},
		"AnEventIsWanted":             {verbosity: 4, log: func(l logr.Logger) { l.Error(namespaceGone, rejectedEvent) }, logged: true},
		"AnEventThatIsNotAllowed":     {log: func(l logr.Logger) { l.Error(notAllowed, rejectedEvent, "event", struct{}{}) }, logged: true},
		"AnErrorInANamespaceThatEnds": {log: func(l logr.Logger) { l.Error(namespaceTerminates, "Reconciler error") }, logged: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := logr.FromSlogHandler(New(&out, Text, tc.verbosity).Handler())
			// Two calls above the line that logs is a function of a library.
			slices.SortFunc([]int{2, 1}, func(a, b int) int {
				tc.log(log.WithCallDepth(2))
				return a - b
			})
			if got := out.Len() > 0; got != tc.logged {
				t.Errorf("logged %q, want something: %v", out.String(), tc.logged)
			}
		})
	}
}

func TestJSONLog(t *testing.T) {
	var out bytes.Buffer
	New(&out, JSON, 0).Info("started", "pid", 7)
	var record map[string]any
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatal(err)
	}
	if record["msg"] != "started" || record["level"] != "INFO" || record["pid"] != 7.0 || record["time"] == nil {
		t.Errorf("logged %v", record)
	}
}
