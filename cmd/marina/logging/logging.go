// Package logging makes the log of what runs for long: lines for people, or JSON, on
// one stream that the libraries write to as well.
package logging

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

// Formats of a log.
const (
	Text = "text"
	JSON = "json"
)

// Flags are how a command is told what to log.
type Flags struct {
	// Format is Text or JSON.
	Format string
	// Verbosity is that of klog: 0 for what a person wants to know, 4 for what a
	// developer does, up to maxVerbosity.
	Verbosity int
}

// maxVerbosity is the highest at which client-go does not log the bodies of requests and
// responses, which hold Secrets (k8s.io/client-go/rest, logBody).
const maxVerbosity = 7

// AddTo defines the flags; what is set already is the default.
func (f *Flags) AddTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.Format, "log-format", f.Format, "Format of the log on standard error: text or json.")
	cmd.Flags().IntVarP(&f.Verbosity, "v", "v", f.Verbosity, "Verbosity of the log: 0 for people, 4 for developers, at most 7.")
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{Text, JSON}, cobra.ShellCompDirectiveNoFileComp))
}

// New makes the log of a command.
func (f *Flags) New(cmd *cobra.Command) (*slog.Logger, error) {
	if f.Format != Text && f.Format != JSON {
		return nil, failure.Usage(cmd.CommandPath(), "--log-format %q: it is text or json", f.Format)
	}
	if f.Verbosity < 0 || f.Verbosity > maxVerbosity {
		return nil, failure.Usage(cmd.CommandPath(), "-v %d: it is 0 to %d; above that, Secrets would be in the log", f.Verbosity, maxVerbosity)
	}
	return New(cmd.ErrOrStderr(), f.Format, f.Verbosity), nil
}

// ownPackages is how the functions of Marina begin.
const ownPackages = "github.com/marina-dev/marina/"

// New writes to w. Verbosity is that of Flags.
func New(w io.Writer, format string, verbosity int) *slog.Logger {
	level := slog.Level(-verbosity)
	var handler slog.Handler
	if format == JSON {
		handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	} else {
		handler = newTextHandler(w, level)
	}
	return slog.New(quietHandler{handler})
}

// RouteLibraries makes the libraries write to the same log. Both settings are of
// the whole process; controller-runtime keeps the first one it gets.
func RouteLibraries(log *slog.Logger) {
	sink := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(sink)
	klog.SetLogger(sink)
}

// quietHandler takes some of what libraries say as detail: which worker they start,
// and what failed just because something ends: Marina, or a namespace.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	detail := !own(r.PC) && (r.Level == slog.LevelInfo || ends(r))
	if detail && !h.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// rejected is how client-go begins when it could not write an event, which it then
// shows as a Go value.
const rejected = "Server rejected event"

// ends reports whether a record is of an error that a stop brings about, or of an event
// in a namespace that is being deleted or gone.
func ends(r slog.Record) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		found = ok && (errors.Is(err, context.Canceled) || strings.HasPrefix(r.Message, rejected) &&
			(apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err)))
		return !found
	})
	return found
}

func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(attrs)}
}

func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}

// own reports whether code of Marina logs. A record that does not tell is ours.
func own(pc uintptr) bool {
	if pc == 0 {
		return true
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return frame.Function == "" || strings.HasPrefix(frame.Function, ownPackages)
}

// textHandler writes a record as a line for people: time, level, message, and
// what slog's own TextHandler makes of the attributes.
type textHandler struct {
	attrs slog.Handler
	out   *textOutput
	// named is true when an attribute names an object.
	named bool
}

// textOutput is what a textHandler shares with those derived from it. The
// attributes of the record at hand are rendered into buffer.
type textOutput struct {
	mu     sync.Mutex
	w      io.Writer
	buffer bytes.Buffer
}

func newTextHandler(w io.Writer, level slog.Leveler) *textHandler {
	out := &textOutput{w: w}
	return &textHandler{
		attrs: slog.NewTextHandler(&out.buffer, &slog.HandlerOptions{Level: level, ReplaceAttr: shorten}),
		out:   out,
	}
}

// noise are attributes of controller-runtime that help only who follows a single
// pass; JSON has them.
var noise = []string{"controllerGroup", "controllerKind", "reconcileID"}

// shorten leaves out the attributes that the line begins with, and noise.
func shorten(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey, slog.LevelKey, slog.MessageKey:
		return slog.Attr{}
	}
	if slices.Contains(noise, a.Key) {
		return slog.Attr{}
	}
	return a
}

func (h *textHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.attrs.Enabled(ctx, level)
}

func (h *textHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.buffer.Reset()
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	line := r.Time.Format("15:04:05.000") + " " + levelName(r.Level) + " " + r.Message
	if attrs := strings.TrimSuffix(h.out.buffer.String(), "\n"); attrs != "" {
		line += " " + attrs
	}
	_, err := io.WriteString(h.out.w, line+"\n")
	return err
}

// WithAttrs implements slog.Handler. Objects become short; controller-runtime names
// the object of a pass once more in parts, which are left out.
func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := &textHandler{out: h.out, named: h.named}
	var kept []slog.Attr
	for _, a := range attrs {
		if ref, ok := a.Value.Any().(klog.ObjectRef); ok {
			a.Value = slog.StringValue(ref.String())
			derived.named = true
		}
		if !derived.named || (a.Key != "namespace" && a.Key != "name") {
			kept = append(kept, a)
		}
	}
	derived.attrs = h.attrs.WithAttrs(kept)
	return derived
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	return &textHandler{attrs: h.attrs.WithGroup(name), out: h.out, named: h.named}
}

// levelName is of the same width for all levels.
func levelName(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "ERROR"
	case level >= slog.LevelWarn:
		return "WARN "
	case level >= slog.LevelInfo:
		return "INFO "
	default:
		return "DEBUG"
	}
}
